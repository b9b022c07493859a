"""Messages that were right, changed in one or several places as other people's software changes them."""

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

Place = tuple[str | int, ...]

FORMS: tuple[Callable[[datetime], str], ...] = (
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S"),
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z",
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-5] + "+00:00",
    lambda at: at.astimezone(timezone(timedelta(hours=5, minutes=30))).isoformat(),
    lambda at: at.strftime("%Y-%m-%d"),
)
"""Every form of a time that the contract knows (§1.4); the last is a day alone."""

MOMENTS = st.builds(
    lambda at, form: form(at),
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(FORMS),
)

_HARD = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        -1,
        2**31,
        2**63,
        10**400,
        -(10**4000),
        1e308,
        -0.0,
        "",
        " ",
        "\x00",
        "a\x00b",
        "\ud800",
        "\udfff\ud800",
        "\u202e",
        "\ufeff",
        "İ",
        "ﬁ",
        "नमस्ते",
        "💉" * 200,
        "9" * 5000,
        "0x10",
        "1e400",
        "x" * 70_000,
        "${jndi:ldap://x}",
        "%00",
        "9999-12-31T23:59:59.999999-14:00",
        "0001-01-01T00:00:00+14:00",
        "2026-02-30",
        [],
        {},
        [[]],
        [None],
        {"": None},
        {"error": {}},
    ]
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where something stands in a message, but for the whole of it."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield (*at, name)
        yield from places(child, (*at, name))


def _deep(levels: int) -> Any:
    nested: Any = 1
    for _ in range(levels):
        nested = [nested] if levels % 2 else {"a": nested}
    return nested


@st.composite
def changed_somewhere(draw: st.DrawFn, body: Any) -> Any:
    """``body`` with one to three members replaced, dropped, added, doubled, or spelt as another type."""
    changed = copy.deepcopy(body)
    for _ in range(draw(st.integers(min_value=1, max_value=3))):
        spots = list(places(changed))
        if not spots:
            break
        spot = draw(st.sampled_from(spots))
        holder = changed
        for name in spot[:-1]:
            holder = holder[name]
        _change(draw, holder, spot[-1])
    return changed


def _change(draw: st.DrawFn, holder: Any, name: str | int) -> None:
    old = holder[name]
    match draw(st.sampled_from(["hard", "anything", "drop", "add", "text", "array", "moment", "deep", "spelling"])):
        case "hard":
            holder[name] = copy.deepcopy(draw(_HARD))  # a later change may be made inside of it
        case "anything":
            holder[name] = draw(_ANYTHING)
        case "drop":
            del holder[name]
        case "add" if isinstance(holder, dict):
            holder[draw(st.text(max_size=12))] = draw(_ANYTHING)
        case "text":
            holder[name] = str(old)
        case "array":
            holder[name] = [old, old]
        case "moment":
            holder[name] = draw(MOMENTS)
        case "deep":
            holder[name] = _deep(draw(st.sampled_from([5, 60, 61, 200])))
        case _ if isinstance(holder, dict) and isinstance(name, str):
            spelt = draw(st.sampled_from([name.upper(), name.lower(), f" {name}", name.capitalize()]))
            holder[spelt] = holder.pop(name)

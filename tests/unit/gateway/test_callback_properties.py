"""Whatever the gateway sends, the reader answers with an event or with InvalidValue (CB-07)."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.gateway import bodies

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.domain.errors import InvalidValue

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=()))
    | st.sampled_from(
        ["", " ", "2026-03-14", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "\ud800", "\x00"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from places(child, (*at, name))


SPOTS = [(path, body, place) for path, body in bodies.EVERY for place in places(body)]


def put(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    if not place:
        return value
    content = json.loads(json.dumps(body))
    holder = content
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    return content


def never_anything_else(spot: tuple[str, Any, tuple[str | int, ...]], value: Any) -> None:
    path, body, place = spot
    try:
        repr(V3CallbackReader().read(path, json.dumps(put(body, place, value)).encode()))
    except InvalidValue as refusal:
        assert refusal.field  # noqa: PT017


@given(spot=st.sampled_from(SPOTS), value=ANYTHING)
@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_in_any_place_gives_an_event_or_names_a_field(spot: Any, value: Any) -> None:
    never_anything_else(spot, value)


@pytest.mark.soak
@given(spot=st.sampled_from(SPOTS), value=ANYTHING)
@settings(max_examples=10_000, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_value_in_any_place_many_times(spot: Any, value: Any) -> None:
    never_anything_else(spot, value)


@pytest.mark.parametrize(
    "value", [None, True, 0, -1, 10**400, 1e308, "", "\ud800", "\x00", [], [[]], {}, {"": None}, "x" * 10_000]
)
def test_each_hard_value_in_every_place(value: Any) -> None:
    for spot in SPOTS:
        never_anything_else(spot, value)


@given(body=st.binary(max_size=300))
@settings(max_examples=50)
def test_any_bytes_give_an_event_or_name_a_field(body: bytes) -> None:
    for path, _ in bodies.EVERY:
        try:
            V3CallbackReader().read(path, body)
        except InvalidValue as refusal:
            assert refusal.field  # noqa: PT017

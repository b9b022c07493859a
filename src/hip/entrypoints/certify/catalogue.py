"""The test cases of milestone M2 as data (``cases.toml``): ids as NHA spells them, oddities included.

Sources: contract §5.1 and rules.md §5. What is not published there is said not to be.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType

Level = Literal["mandatory", "optional", "unsure", "replaced"]
"""``unsure``: not in the published extract of the newer list; counted as mandatory. ``replaced``: v3 has it no more."""

Wording = Literal["published", "group", "unpublished"]
"""``group``: published for a range of ids together, so which step has which id is our reading."""


class Twin(msgspec.Struct, frozen=True, kw_only=True):
    """The same play with one thing ``changed``, so that the case must fail, and at the rule ``fails``.

    ``never``: it fails because what is awaited does not come; any other waits as long as a case does.
    """

    name: str
    changed: str
    fails: str
    never: bool = False


class HandStep(msgspec.Struct, frozen=True, kw_only=True):
    """What a person does in a real patient's app; ``watch`` is what our API shows then, empty: the person says so."""

    ask: str
    watch: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case, or one part of a case that is shown once for each HI type or flow."""

    id: str
    title: str
    level: Level
    wording: Wording = "published"
    section: str
    steps: tuple[str, ...]
    expected: str
    rules: tuple[str, ...] = ()
    play: str = ""
    part: str = ""
    alone: bool = False
    note: str = ""
    twins: tuple[Twin, ...] = ()
    by_hand: tuple[HandStep, ...] = ()

    @property
    def key(self) -> str:
        """The id, and the part after a slash."""
        return f"{self.id}/{self.part}" if self.part else self.id

    @property
    def required(self) -> bool:
        """Whether a run fails without it."""
        return self.level in ("mandatory", "unsure")

    @property
    def hi_type(self) -> HiType:
        """The part as an HI type. Raises InvalidValue when it is none."""
        return HiType.parse(self.part)


class _Listed(msgspec.Struct, kw_only=True):
    case: tuple[dict[str, object], ...]


@cache
def cases() -> tuple[Case, ...]:
    """Every case, in NHA's order; one for each HI type where ``part`` is ``*``."""
    content = (files("hip.entrypoints.certify") / "cases.toml").read_text(encoding="utf-8")
    read: list[Case] = []
    for raw in msgspec.convert(tomllib.loads(content), _Listed).case:
        parts = [hi_type.value for hi_type in HiType] if raw.get("part") == "*" else [raw.get("part", "")]
        read += [msgspec.convert({**raw, "part": part}, Case) for part in parts]
    return tuple(read)


def chosen(names: Sequence[str]) -> tuple[Case, ...]:
    """The cases named, by id (every part) or by ``id/part``; all without names. Raises InvalidValue for an unknown."""
    if not names:
        return cases()
    wanted = {name.strip().casefold() for name in names}
    for name in names:
        if not any(name.strip().casefold() in (case.id.casefold(), case.key.casefold()) for case in cases()):
            raise InvalidValue(f"CASE {name}", "a case of `hip certify list`")
    return tuple(case for case in cases() if case.id.casefold() in wanted or case.key.casefold() in wanted)

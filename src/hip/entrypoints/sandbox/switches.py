"""Misbehaviour that is switched on by name, at random where wanted, and the same again with the same seed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

import msgspec


class Switch(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One scenario. It strikes calls whose path contains one of ``paths`` (all, when empty), each with ``chance`` drawn
    from ``seed``, at most ``times`` times (without limit when null)."""

    name: str
    on: bool = True
    paths: tuple[str, ...] = ()
    times: int | None = None
    chance: float = 1.0
    seed: int = 0


@dataclass(slots=True)
class _Running:
    switch: Switch
    random: Random
    struck: int = 0
    seen: set[str] = field(default_factory=set)


class UnknownScenario(ValueError):
    """No scenario has this name, or its options cannot be read."""


class Switches:
    """The switches that are on, of those ``known``: name → what happens."""

    def __init__(self, known: Mapping[str, str], switches: Iterable[Switch] = ()) -> None:
        self._known = known
        self._running: dict[str, _Running] = {}
        for switch in switches:
            self.set(switch)

    def set(self, switch: Switch) -> None:
        """Turn a scenario on, anew, or off. Raises UnknownScenario."""
        if switch.name not in self._known:
            raise UnknownScenario(f"{switch.name!r} is none of {', '.join(self._known)}")
        self._running.pop(switch.name, None)
        if switch.on:
            # Only repeatability matters here: a seed must give the same run again, and each scenario its own draws.
            self._running[switch.name] = _Running(switch, Random(f"{switch.seed}|{switch.name}"))  # noqa: S311

    def clear(self) -> None:
        """Turn everything off."""
        self._running.clear()

    def on(self) -> list[Switch]:
        """What is on."""
        return [running.switch for running in self._running.values()]

    def strikes(self, name: str, path: str = "") -> bool:
        """Whether the scenario happens to this call; asking counts as one draw."""
        running = self._running.get(name)
        if running is None or not _concerns(running.switch, path):
            return False
        if running.switch.times is not None and running.struck >= running.switch.times:
            return False
        if running.random.random() >= running.switch.chance:
            return False
        running.struck += 1
        return True

    def strikes_first(self, name: str, path: str) -> bool:
        """As ``strikes``, but only the first time for each path; with a chance below 1, whenever it is drawn."""
        running = self._running.get(name)
        if running is None or (path in running.seen and running.switch.chance >= 1):
            return False
        if not self.strikes(name, path):
            return False
        running.seen.add(path)
        return True


def read_switch(text: str) -> Switch:
    """``NAME`` or ``NAME:chance=0.2,seed=7,times=3,path=link``; ``path`` may repeat. Raises UnknownScenario."""
    name, _, options = text.partition(":")
    values: dict[str, str] = {}
    paths: list[str] = []
    for option in options.split(",") if options else ():
        key, _, value = option.partition("=")
        if key == "path":
            paths.append(value)
        else:
            values[key] = value
    unknown = sorted(set(values) - {"chance", "seed", "times"})
    if unknown:
        raise UnknownScenario(f"{text!r}: {', '.join(unknown)} is none of chance, seed, times, path")
    try:
        return msgspec.convert({"name": name, "paths": paths, **values}, Switch, strict=False)
    except msgspec.ValidationError as problem:
        raise UnknownScenario(f"{text!r}: {problem}") from None


def at_random(
    names: Iterable[str], *, seed: int, chance: float, paths: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Switch, ...]:
    """Every one of ``names``, each striking with ``chance``, drawn from ``seed``; ``paths`` are by name."""
    where = paths or {}
    return tuple(Switch(name=name, chance=chance, seed=seed, paths=where.get(name, ())) for name in names)


def _concerns(switch: Switch, path: str) -> bool:
    return not switch.paths or any(part in path for part in switch.paths)

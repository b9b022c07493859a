"""What requesters want and patients allow, drawn from a seed: consents, dates, ways to be difficult, revocations."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

from tests.e2e.townsfolk import Person

from hip.entrypoints.sandbox.hiu.config import FAULTS

KINDS = ("OPConsultation", "Prescription")
FIRST_DAY = datetime(2026, 1, 1, 10, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
WHOLE = (-30, 60)
"""In days from the first: more than any visit."""

REFUSES_EVERY_PUSH = frozenset({"always-400", "needs-authorization"})
CANNOT_READ = frozenset({"raw-only", "strips-zeros", "x509-only"})
"""What becomes of the pages at such a requester is its own affair; here they are opened with its keys all the same."""


@dataclass(frozen=True, slots=True)
class Town:
    """``people`` with ``visits`` visits each, one a day."""

    people: int
    visits: int

    def persons(self) -> Iterator[Person]:
        return (Person(7000 + number) for number in range(self.people))

    def codes(self, person: Person) -> list[str]:
        return [f"R{person.number}-{number}" for number in range(self.visits)]

    def records(self, person: Person) -> Iterator[tuple[str, datetime, bytes]]:
        """Code, time and visit record of each visit."""
        for number, code in enumerate(self.codes(person)):
            at = FIRST_DAY + timedelta(days=number)
            record = json.loads(person.visit())
            record |= {
                "visitCode": code,
                "hiTypes": kinds_of(number),
                "start": at.isoformat(),
                "end": (at + timedelta(minutes=20)).isoformat(),
            }
            yield code, at, json.dumps(record).encode()


def kinds_of(number: int) -> list[str]:
    """What the visit of this day has."""
    return [[KINDS[0]], [KINDS[1]], list(KINDS)][number % 3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One consent and what is asked under it. Days are counted from the first; ``granted`` and ``later`` are spans.

    The first request asks for all that is granted, each of ``later`` for a span of its own. ``ended_after`` is in
    seconds after the first request was answered; the consent is then revoked, or else ``expires``.
    """

    person: Person
    contexts: tuple[str, ...]
    kinds: tuple[str, ...]
    granted: tuple[int, int]
    later: tuple[tuple[int, int], ...]
    fault: str | None
    ended_after: float | None
    expires: bool

    @property
    def requests(self) -> int:
        return 1 + len(self.later)


def wishes(town: Town, *, transfers: int, chance: Random) -> Iterator[Wish]:
    """Until they come to ``transfers`` requests; each way to be difficult is met in turn, between well-behaved ones."""
    faults = [fault for fault in FAULTS if fault != "silent"]
    chance.shuffle(faults)
    # Who never answers comes first: pages of several rounds are then sure to be under way when the consent ends.
    faults.insert(0, "silent")
    people, asked = list(town.persons()), 0
    for number in range(transfers):
        if asked >= transfers:
            return
        fault = faults[number // 2 % len(faults)] if number % 2 == 0 else None
        wish = _wish(town, chance.choice(people), fault, chance, alone=number % 3 == 1, most=transfers - asked)
        asked += wish.requests
        yield wish


def _wish(town: Town, person: Person, fault: str | None, chance: Random, *, alone: bool, most: int) -> Wish:
    """``alone``: one kind of record is consented to, among contexts that have both."""
    # Few have many: a transfer of forty takes as long as twenty of two.
    size = min(town.visits, 1 + int(40 * chance.random() ** 3))
    if fault == "silent":
        size = min(town.visits, 9)
    elif alone:
        size = min(town.visits, max(size, 4))
    numbers = sorted(chance.sample(range(town.visits), size))
    kinds = (kinds_of(numbers[0])[0],) if alone else KINDS
    narrow = chance.random() < 0.3
    granted = (numbers[0], numbers[len(numbers) // 2]) if narrow else WHOLE
    later: list[tuple[int, int]] = []
    if fault != "silent" and most > 1 and chance.random() < 0.4:
        middle = numbers[len(numbers) // 2]
        later = [chance.choice([(granted[0], middle), (middle, granted[1]), (-40, 70)])]
    ends = fault == "silent" or size > 8 or chance.random() < 0.15
    return Wish(
        person=person,
        contexts=tuple(f"R{person.number}-{number}" for number in numbers),
        kinds=kinds,
        granted=granted,
        later=tuple(later),
        fault=fault,
        ended_after=chance.uniform(0, 0.8) if ends and (fault == "silent" or chance.random() < 0.7) else None,
        expires=chance.random() < 0.3,
    )


def span(days: tuple[int, int]) -> dict[str, Any]:
    """As a body carries it: from the morning of the first day to the evening of the last, in UTC."""
    start, end = (moment_of(day) for day in days)
    return {"from": _text(start), "to": _text(end + timedelta(hours=16))}


def moment_of(day: int) -> datetime:
    """The beginning of a day, counted from the first."""
    return FIRST_DAY.replace(hour=5, minute=30) + timedelta(days=day)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""A store that fails at some visits, and at no other."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from hip.application.storage import UnitOfWork, Units, Visit
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import VisitCode


@dataclass
class PickyStore:
    """Opens units of ``units`` that fail with ``failure`` when one of ``codes`` is inserted; ``tried`` counts units."""

    units: Units
    failure: Exception = field(default_factory=lambda: StorageFailed("PostgreSQL did not answer"))
    codes: set[VisitCode] = field(default_factory=set)
    tried: int = 0

    @asynccontextmanager
    async def unit(self) -> AsyncGenerator[UnitOfWork]:
        self.tried += 1
        async with self.units() as uow:
            picky: Any = _Unit(uow, self.codes, self.failure)
            yield picky


class _Unit:
    def __init__(self, uow: UnitOfWork, codes: Collection[VisitCode], failure: Exception) -> None:
        self._uow = uow
        self.visits = _Visits(uow.visits, codes, failure)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)


class _Visits:
    def __init__(self, visits: Any, codes: Collection[VisitCode], failure: Exception) -> None:
        self._visits = visits
        self._codes = codes
        self._failure = failure

    async def add_missing(self, visits: Sequence[Visit]) -> frozenset[VisitCode]:
        added: frozenset[VisitCode] = await self._visits.add_missing(visits)
        if any(visit.record.visit_code in self._codes for visit in visits):
            raise self._failure
        return added

    def __getattr__(self, name: str) -> Any:
        return getattr(self._visits, name)

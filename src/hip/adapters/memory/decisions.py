"""The append-only decision records in memory."""

import itertools
from collections.abc import Sequence

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing
from hip.domain.decision_seals import NumberedDecision
from hip.domain.decisions import Decision
from hip.domain.identifiers import ConsentId, HipId, TransactionId


class DecisionTable:
    """Records by a number that only grows."""

    def __init__(self) -> None:
        self.rows: MemoryTable[int, Decision] = MemoryTable()
        self.numbers = itertools.count(1)


class MemoryDecisions:
    def __init__(self, session: Session, table: DecisionTable) -> None:
        self._session = session
        self._rows = table.rows
        self._numbers = table.numbers

    async def append(self, decision: Decision) -> None:
        await self._session.step()
        self._rows.put(next(self._numbers), decision)

    async def append_all(self, decisions: Sequence[Decision]) -> None:
        await self._session.step()
        for decision in decisions:
            self._rows.put(next(self._numbers), decision)

    async def list(
        self,
        listing: Listing,
        *,
        transaction_id: TransactionId | None = None,
        consent_id: ConsentId | None = None,
        patient: str | None = None,
        requester: str | None = None,
    ) -> Sequence[Decision]:
        await self._session.step()
        rows = [
            row
            for row in reversed(self._rows)
            if transaction_id in (None, row.transaction_id)
            and consent_id in (None, row.consent_id)
            and patient in (None, row.patient)
            and requester in (None, row.requester)
        ]
        return listed(rows, listing, hip=lambda d: d.hip_id, at=lambda d: d.at)

    async def tally(self, hip_id: HipId, consent_id: ConsentId) -> int:
        await self._session.step()
        return sum((row.hip_id, row.consent_id) == (hip_id, consent_id) for row in self._rows)

    async def numbered(self, hip_id: HipId, *, after: int, limit: int) -> Sequence[NumberedDecision]:
        await self._session.step()
        found = [(number, row) for number, row in sorted(self._rows.items()) if row.hip_id == hip_id and number > after]
        return [NumberedDecision(number=number, decision=row) for number, row in found[:limit]]

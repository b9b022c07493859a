"""Table ``health_information`` in Postgres: entries that wait to be fetched, sealed once more where they rest."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from hip.adapters.postgres.statements import Statements
from hip.adapters.postgres.tables.release import health_information as _TABLE  # noqa: N812 - a constant
from hip.application.ports import KeyVault
from hip.domain.errors import Conflict
from hip.domain.identifiers import ConsentId, HipId, TransactionId
from hip.domain.waiting_entries import LapsedEntry, WaitingEntry


class PostgresWaitingEntries:
    def __init__(self, statements: Statements, vault: KeyVault) -> None:
        self._statements = statements
        self._vault = vault

    async def add(self, entry: WaitingEntry) -> None:
        where = _context(entry.hip_id, entry.information_id)
        added = insert(_TABLE).values(
            hip_id=entry.hip_id,
            information_id=entry.information_id,
            data=self._vault.seal(entry.content.encode(), context=where),
            token=self._vault.seal(entry.token.encode(), context=f"{where}/token"),
            created_at=entry.created_at,
            transaction_id=entry.transaction_id,
            consent_id=entry.consent_id,
            number=entry.number,
        )
        if await self._statements.count(added.on_conflict_do_nothing()) == 0:
            raise Conflict("the information id is taken")

    async def find(self, information_id: str) -> WaitingEntry | None:
        row = await self._statements.first(select(_TABLE).where(_TABLE.c.information_id == information_id))
        return None if row is None else self._entry(row)

    async def remove(self, hip_id: HipId, information_id: str) -> bool:
        removed = delete(_TABLE).where(_TABLE.c.hip_id == hip_id, _TABLE.c.information_id == information_id)
        return await self._statements.count(removed) == 1

    async def remove_of_consent(self, hip_id: HipId, consent_id: ConsentId) -> int:
        removed = delete(_TABLE).where(_TABLE.c.hip_id == hip_id, _TABLE.c.consent_id == consent_id)
        return await self._statements.count(removed)

    async def remove_older(self, *, than: datetime, limit: int) -> Sequence[LapsedEntry]:
        old = (
            select(_TABLE.c.hip_id, _TABLE.c.information_id)
            .where(_TABLE.c.created_at <= than)
            .order_by(_TABLE.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = await self._statements.all(
            delete(_TABLE)
            .where(tuple_(_TABLE.c.hip_id, _TABLE.c.information_id).in_(old))
            .returning(_TABLE.c.hip_id, _TABLE.c.transaction_id, _TABLE.c.number)
        )
        return [
            LapsedEntry(
                hip_id=HipId(row["hip_id"]), transaction_id=TransactionId(row["transaction_id"]), number=row["number"]
            )
            for row in rows
        ]

    def _entry(self, row: RowMapping) -> WaitingEntry:
        where = _context(row["hip_id"], row["information_id"])
        return WaitingEntry(
            hip_id=HipId(row["hip_id"]),
            information_id=row["information_id"],
            transaction_id=TransactionId(row["transaction_id"]),
            consent_id=ConsentId(row["consent_id"]),
            number=row["number"],
            content=self._vault.unseal(row["data"], context=where).decode(),
            token=self._vault.unseal(row["token"], context=f"{where}/token").decode(),
            created_at=row["created_at"],
        )


def _context(hip_id: str, information_id: str) -> str:
    return f"health_information/{hip_id}/{information_id}"

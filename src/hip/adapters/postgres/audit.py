"""The audit in Postgres: rows are added and read; the server refuses anything else (AUD-01)."""

from collections.abc import Sequence

from sqlalchemy import RowMapping, insert, select

from hip.adapters.postgres.statements import Statements, listed
from hip.adapters.postgres.tables.audit import audit
from hip.application.storage import Listing
from hip.domain.audit import AuditEntry
from hip.domain.identifiers import HipId


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(
        hip_id=HipId(row["hip_id"]),
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        detail=tuple((name, value) for name, value in row["detail"]),
    )


class PostgresAudit:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def append(self, entry: AuditEntry) -> None:
        row = {
            "hip_id": entry.hip_id,
            "at": entry.at,
            "actor": entry.actor,
            "action": entry.action,
            "subject": entry.subject,
            "detail": [list(pair) for pair in entry.detail],
        }
        await self._statements.run(insert(audit).values(row))

    async def list(self, listing: Listing) -> Sequence[AuditEntry]:
        rows = await self._statements.all(listed(select(audit), audit, listing, at="at"))
        return [_entry(row) for row in rows]

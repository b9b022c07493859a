"""The audit in Postgres: rows are added and read; the server refuses anything else (AUD-01)."""

import json
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import RowMapping, bindparam, insert, select, text, update

from hip.adapters.postgres.statements import Statements, in_columns, listed, unnested
from hip.adapters.postgres.tables.audit import audit, audit_heads
from hip.application.storage import Listing
from hip.domain.audit import GENESIS, AuditEntry, AuditHead, AuditLink
from hip.domain.identifiers import HipId

# The digest is that of domain.audit, computed by the server: so one statement takes the HIP's row in audit_heads, makes
# the link and adds it, and what a hot HIP's units queue for is one round trip and the commit after it.
_APPEND = text(
    f"""
    WITH head AS (
        INSERT INTO audit_heads AS h (hip_id, sequence, previous, digest)
        VALUES (
            :hip_id, 1, '{GENESIS}',
            encode(sha256(decode('{GENESIS}', 'hex') || int8send(1) || CAST(:fingerprint AS bytea)), 'hex')
        )
        ON CONFLICT (hip_id) DO UPDATE SET
            sequence = h.sequence + 1,
            previous = h.digest,
            digest = encode(
                sha256(decode(h.digest, 'hex') || int8send(h.sequence + 1) || CAST(:fingerprint AS bytea)), 'hex'
            )
        RETURNING h.hip_id, h.sequence, h.previous, h.digest
    )
    INSERT INTO audit (hip_id, sequence, previous, digest, at, actor, action, subject, detail)
    SELECT head.hip_id, head.sequence, head.previous, head.digest,
           CAST(:at AS timestamptz), :actor, :action, :subject, CAST(:detail AS jsonb)
    FROM head
    """  # noqa: S608 - a constant of ours
)


# For many at once the links are made here, and the end of the chain is held for three round trips instead of moved
# link by link.
MANY = 8
_COLUMNS = ("hip_id", "sequence", "previous", "digest", "at", "actor", "action", "subject", "detail")
_HOLD = text(
    f"""
    INSERT INTO audit_heads AS h (hip_id, sequence, previous, digest) VALUES (:hip_id, 0, '{GENESIS}', '{GENESIS}')
    ON CONFLICT (hip_id) DO UPDATE SET sequence = h.sequence
    RETURNING h.sequence, h.digest
    """  # noqa: S608 - a constant of ours
)
_ADD = insert(audit).from_select(_COLUMNS, select(unnested(audit, *_COLUMNS)))
_MOVE = (
    update(audit_heads)
    .where(audit_heads.c.hip_id == bindparam("of"))
    .values({name: bindparam(name) for name in ("sequence", "previous", "digest")})
)


def _one(entry: AuditEntry) -> dict[str, Any]:
    return {
        "hip_id": entry.hip_id,
        "fingerprint": entry.fingerprint,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": json.dumps([list(pair) for pair in entry.detail]),
    }


def _row(link: AuditLink) -> dict[str, Any]:
    entry = link.entry
    return {
        "hip_id": entry.hip_id,
        "sequence": link.sequence,
        "previous": link.previous,
        "digest": link.digest,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": [list(pair) for pair in entry.detail],
    }


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(
        hip_id=HipId(row["hip_id"]),
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        detail=tuple((name, value) for name, value in row["detail"]),
    )


def _link(row: RowMapping) -> AuditLink:
    return AuditLink(entry=_entry(row), sequence=row["sequence"], previous=row["previous"], digest=row["digest"])


class PostgresAudit:
    """What is appended waits for ``flush``, so that the end of the chain is locked for the last moment of a unit only.

    As every unit takes it last, and those of several HIPs in one order, no two units wait for each other.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._waiting: list[AuditEntry] = []

    async def append(self, entry: AuditEntry) -> None:
        self._statements.require_usable()
        self._waiting.append(entry)

    async def flush(self) -> None:
        """Chain and insert what waits. Raises StorageFailed."""
        waiting, self._waiting = sorted(self._waiting, key=lambda entry: entry.hip_id), []
        for hip_id, entries in groupby(waiting, key=lambda entry: entry.hip_id):
            await self._chain(hip_id, list(entries))

    async def _chain(self, hip_id: HipId, entries: Sequence[AuditEntry]) -> None:
        if len(entries) < MANY:
            # One after the other in one round trip: each link is made of the one before it.
            await self._statements.run_each(_APPEND, [_one(entry) for entry in entries])
            return
        [end] = await self._statements.all(_HOLD, {"hip_id": hip_id})
        head = AuditHead(hip_id=hip_id, sequence=end["sequence"], digest=end["digest"])
        links: list[AuditLink] = []
        for entry in entries:
            links.append(head.append(entry))
            head = links[-1].head
        await self._statements.run(_ADD, in_columns([_row(link) for link in links], *_COLUMNS))
        last = {"of": hip_id, "sequence": head.sequence, "previous": links[-1].previous, "digest": head.digest}
        await self._statements.run(_MOVE, last)

    async def list(self, listing: Listing) -> Sequence[AuditEntry]:
        await self.flush()
        rows = await self._statements.all(listed(select(audit), audit, listing, at="at"))
        return [_entry(row) for row in rows]

    async def chain(self, hip_id: HipId, *, after: int, limit: int) -> Sequence[AuditLink]:
        await self.flush()
        statement = select(audit).where(audit.c.hip_id == hip_id, audit.c.sequence > after)
        return [_link(row) for row in await self._statements.all(statement.order_by(audit.c.sequence).limit(limit))]

    async def head(self, hip_id: HipId) -> AuditHead:
        await self.flush()
        row = await self._statements.first(select(audit_heads).where(audit_heads.c.hip_id == hip_id))
        if row is None:
            return AuditHead(hip_id=hip_id)
        return AuditHead(hip_id=hip_id, sequence=row["sequence"], digest=row["digest"])

    async def chained(self) -> Sequence[HipId]:
        await self.flush()
        rows = await self._statements.all(select(audit_heads.c.hip_id))
        return sorted(HipId(row["hip_id"]) for row in rows)

    async def latest(self, hip_id: HipId, action: str) -> AuditEntry | None:
        await self.flush()
        statement = select(audit).where(audit.c.hip_id == hip_id, audit.c.action == action)
        row = await self._statements.first(statement.order_by(audit.c.sequence.desc()).limit(1))
        return None if row is None else _entry(row)

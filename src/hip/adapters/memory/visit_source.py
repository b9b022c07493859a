"""A hospital's list of visits in this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hip.application.visit_sources import SourceRow, SourceVisit
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import VisitCode
from hip.domain.visits import VisitRecord


@dataclass(slots=True)
class _Row:
    visit_code: VisitCode
    due_at: datetime
    attempt: int = 0
    read_at: datetime | None = None
    done_at: datetime | None = None
    reason: str | None = None
    result_at: datetime | None = None


class MemoryVisitSource:
    """As strict as a database: one claimer per row, the newest claim decides. ``down`` makes every call fail."""

    def __init__(self) -> None:
        self.down = False
        self._rows: dict[int, _Row] = {}
        self._records: dict[VisitCode, VisitRecord | str] = {}

    def add(self, visit_code: VisitCode, known: VisitRecord | str, *, at: datetime) -> int:
        """A visit that is ready: its record, or what is wrong with it. The row's id."""
        self._records[visit_code] = known
        row_id = len(self._rows) + 1
        self._rows[row_id] = _Row(visit_code=visit_code, due_at=at)
        return row_id

    def result_came(self, visit_code: VisitCode, *, at: datetime, known: VisitRecord | None = None) -> None:
        """A late result; ``known`` is the record with it."""
        if known is not None:
            self._records[visit_code] = known
        for row in self._rows.values():
            if row.visit_code == visit_code:
                row.result_at = at

    def states(self) -> Mapping[int, tuple[bool, str | None]]:
        """Of each row, whether the flag is set, and the reason on it."""
        return {row_id: (row.done_at is not None, row.reason) for row_id, row in self._rows.items()}

    async def claim(self, *, now: datetime, until: datetime, limit: int) -> Sequence[SourceRow]:
        self._answering()
        due = sorted(
            (row.due_at, row_id) for row_id, row in self._rows.items() if row.done_at is None and row.due_at <= now
        )
        claimed = []
        for _, row_id in due[:limit]:
            row = self._rows[row_id]
            row.attempt, row.due_at, row.read_at = row.attempt + 1, until, now
            claimed.append(SourceRow(row_id=row_id, visit_code=row.visit_code, attempt=row.attempt))
        return claimed

    async def read(self, rows: Sequence[SourceRow]) -> Sequence[SourceVisit]:
        self._answering()
        visits = []
        for row in rows:
            known = self._records[row.visit_code]
            record, fault = (None, known) if isinstance(known, str) else (known, "")
            visits.append(SourceVisit(row=row, record=record, fault=fault))
        return visits

    async def done(self, rows: Sequence[SourceRow], *, now: datetime) -> int:
        self._answering()
        held = [row for row in rows if self._held(row)]
        for row in held:
            self._rows[row.row_id].done_at = now
            self._rows[row.row_id].reason = None
        return len(held)

    async def put_off(self, rows: Sequence[SourceRow], *, until: datetime, reason: str) -> None:
        self._answering()
        for row in rows:
            if self._held(row):
                self._rows[row.row_id].due_at = until
                self._rows[row.row_id].reason = reason

    async def put_back(self, rows: Sequence[SourceRow], *, now: datetime) -> None:
        self._answering()
        for row in rows:
            if self._held(row):
                self._rows[row.row_id].due_at = now

    async def reopen_late(self, *, since: datetime, limit: int) -> int:
        self._answering()
        late = [
            row
            for row in self._rows.values()
            if row.done_at is not None
            and row.read_at is not None
            and row.result_at is not None
            and row.result_at > max(row.read_at, since)
        ]
        for row in late[:limit]:
            row.done_at, row.due_at = None, row.read_at or row.due_at  # at once
        return len(late[:limit])

    def _held(self, row: SourceRow) -> bool:
        stored = self._rows.get(row.row_id)
        return stored is not None and stored.done_at is None and stored.attempt == row.attempt

    def _answering(self) -> None:
        if self.down:
            raise StorageFailed("the hospital's database does not answer")

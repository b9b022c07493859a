"""A row of the trigger table: the hospital's word that a visit is ready to be turned into documents."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from hip.domain.identifiers import HipId, VisitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """``processed`` (AMRIT's flag) becomes true only when every required bundle of the visit is stored and valid."""

    hip_id: HipId
    visit_code: VisitCode
    created_at: datetime
    processed: bool = False
    processed_at: datetime | None = None

    def process(self, *, now: datetime) -> Self:
        """Every required bundle is stored and valid."""
        return replace(self, processed=True, processed_at=self.processed_at or now)

    def reopen(self) -> Self:
        """The visit changed, so its documents are to be made again."""
        return replace(self, processed=False, processed_at=None)

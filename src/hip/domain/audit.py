"""One line of the append-only audit (AUD-01)."""

from dataclasses import dataclass
from datetime import datetime

from hip.domain.identifiers import HipId


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to which thing. ``subject`` is an id of ours or the gateway's, never a name, phone or ABHA.

    ``detail`` holds states, codes and counts. ``at`` is UTC.
    """

    hip_id: HipId
    at: datetime
    actor: str
    action: str
    subject: str
    detail: tuple[tuple[str, str], ...] = ()

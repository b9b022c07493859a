"""What every list is asked for."""

from dataclasses import dataclass
from datetime import datetime

from hip.domain.identifiers import HipId


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a list asks for: newest first, of one HIP or (for the operator's command line) of all."""

    hip_id: HipId | None = None
    since: datetime | None = None
    limit: int = 100

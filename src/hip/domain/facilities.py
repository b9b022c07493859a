"""A facility (HIP) this service answers for."""

from dataclasses import dataclass

from hip.domain.clinical import checked_text
from hip.domain.identifiers import HipId
from hip.domain.patients import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A registered facility: the custodian of its visits. ``phone`` and ``email`` are as patients should see them.

    ``counters`` are the ids in the codes that patients may scan here; none named means any.
    """

    hip_id: HipId
    name: str
    phone: str | None = None
    email: str | None = None
    address: Address | None = None
    counters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked_text(self.name, field="facility.name")

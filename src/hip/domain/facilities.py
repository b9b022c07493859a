"""A facility (HIP) this service answers for."""

from dataclasses import dataclass

from hip.domain.identifiers import HipId
from hip.domain.patients import Address
from hip.domain.recorded import checked_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A registered facility: the custodian of its visits. ``phone`` and ``email`` are as patients should see them.

    ``counters`` are the ids in the codes that patients may scan here; none named means any. ``display_name`` is what
    text messages call it, where that is not ``name``, and ``sms_contact`` whom they tell patients to ask. Without
    ``discovery`` no patient is found here by an app; ``discovery_per_hour`` replaces the deployment's (DISC-02).
    """

    hip_id: HipId
    name: str
    phone: str | None = None
    email: str | None = None
    address: Address | None = None
    counters: tuple[str, ...] = ()
    display_name: str | None = None
    sms_contact: str | None = None
    discovery: bool = True
    discovery_per_hour: int | None = None

    @property
    def name_in_messages(self) -> str:
        """What a text message calls the facility."""
        return self.display_name or self.name

    def __post_init__(self) -> None:
        checked_text(self.name, field="facility.name")
        if self.display_name is not None:
            checked_text(self.display_name, field="facility.display_name")

"""When a HIP's people were last told of something that goes on, so that they are told again, but not at each look."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hip.domain.identifiers import HipId


@dataclass(frozen=True, slots=True)
class LastAlarms:
    """The last alarm of one kind for each HIP: when it went out (UTC), and about what. Known to this process only."""

    _last: dict[HipId, tuple[datetime, str]] = field(default_factory=dict, repr=False)

    def due(self, hip_id: HipId, *, now: datetime, every: timedelta) -> bool:
        """Whether none went out for this HIP since ``now - every``."""
        last = self._last.get(hip_id)
        return last is None or now - last[0] >= every

    def was_about(self, hip_id: HipId, subject: str) -> bool:
        """Whether the last one for this HIP was about ``subject``."""
        last = self._last.get(hip_id)
        return last is not None and last[1] == subject

    def note(self, hip_id: HipId, subject: str, *, now: datetime) -> None:
        """One goes out now."""
        self._last[hip_id] = (now, subject)

"""The HIPs of this deployment, from the settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from hip.domain.facilities import Facility


@dataclass(frozen=True, slots=True)
class ConfiguredFacilities:
    """Port ``Facilities`` over HIP_FACILITIES."""

    facilities: tuple[Facility, ...]

    def find(self, hip_id: str) -> Facility | None:
        """None for an id that is not ours (CB-05)."""
        return next((facility for facility in self.facilities if facility.hip_id == hip_id), None)

    def all(self) -> Sequence[Facility]:
        """In the order of the settings."""
        return self.facilities

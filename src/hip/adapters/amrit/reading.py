"""How the clinical result sets of claimed visits are come by: from views, or from routines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from hip.adapters.amrit.records import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What the trigger table says of a visit; its numbers may be missing."""

    row_id: int
    visit_code: int | None
    patient: int | None


@dataclass(frozen=True, slots=True)
class Unread:
    """Why the result sets of one visit could not be read, without values of theirs.

    ``passing``: it may be over soon.
    """

    what: str
    expected: str
    passing: bool = False

    @property
    def fault(self) -> str:
        return f"{self.what}: expected {self.expected}"


class ResultSets(Protocol):
    """Both methods raise InvalidValue that names what is missing or laid out otherwise, and StorageFailed."""

    async def of(self, visits: Sequence[Trigger]) -> Mapping[int, Found | Unread]:
        """By the row of the trigger table; a visit that cannot be read spoils no other."""

    async def check(self) -> None: ...

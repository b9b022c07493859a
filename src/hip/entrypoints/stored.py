"""A kind of stored thing: how it is listed and shown, once for the command line and once for HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from hip.application.ports import Bundles
from hip.application.storage import Listing, UnitOfWork, Units
from hip.domain.identifiers import HipId
from hip.entrypoints.views import Shown

List = Callable[[UnitOfWork, Listing], Awaitable[Sequence[Shown]]]
Show = Callable[[UnitOfWork, HipId, str], Awaitable[Shown | None]]
Complete = Callable[[Bundles, Sequence[Shown]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One kind of stored thing, as the command line lists and shows it.

    ``complete_list`` and ``complete_one`` add what only the document store knows, after the unit of work is over.
    ``watched``: who looks at it, or at a list, is written to the audit, for it tells something of a patient (AUD-01).
    """

    name: str
    columns: tuple[str, ...]
    list: List
    show: Show
    complete_list: Complete | None = None
    complete_one: Complete | None = None
    watched: bool = True

    @property
    def plural(self) -> str:
        """As the audit names a list of them."""
        return f"{self.name}s"


async def listed(stored: Stored, units: Units, bundles: Bundles, listings: Sequence[Listing]) -> list[Shown]:
    """What each listing asks for, one after the other."""
    async with units() as uow:
        rows = [shown for listing in listings for shown in await stored.list(uow, listing)]
    if stored.complete_list is not None:
        await stored.complete_list(bundles, rows)
    return rows


def counted(rows: Sequence[Shown], hips: Sequence[HipId]) -> dict[HipId, int]:
    """How many rows are of each of ``hips``."""
    return {hip_id: sum(row["hipId"] == hip_id for row in rows) for hip_id in hips}


async def found(
    stored: Stored, units: Units, bundles: Bundles, hips: Sequence[HipId], key: str
) -> tuple[HipId, Shown] | None:
    """The first of ``hips`` that holds it, and what is shown of it."""
    async with units() as uow:
        held = [(hip_id, shown) for hip_id in hips if (shown := await stored.show(uow, hip_id, key)) is not None]
    if not held:
        return None
    if stored.complete_one is not None:
        await stored.complete_one(bundles, [held[0][1]])
    return held[0]

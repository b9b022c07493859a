"""A visit on its way to being linked, and what the desk is shown when a call for it fails."""

from dataclasses import dataclass
from datetime import datetime

from hip.application.storage import UnitOfWork, Units
from hip.domain.exchanges import Exchange, Outcome
from hip.domain.identifiers import AbhaAddress
from hip.domain.links import CareContext, LinkRequest, LinkStatus
from hip.domain.patients import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Linkable:
    """A visit that may be linked now."""

    context: CareContext
    patient: Patient
    abha_address: AbhaAddress
    request: LinkRequest


def failed_status(exchange: Exchange) -> LinkStatus | None:
    """The status that says how a call ended badly; None while it is open or when it ended well."""
    return {Outcome.REFUSED: LinkStatus.REFUSED, Outcome.UNANSWERED: LinkStatus.UNANSWERED}.get(exchange.outcome)


async def note_failure(
    units: Units, exchange: Exchange, linkable: Linkable, *, awaiting: LinkStatus, now: datetime
) -> None:
    """Show the desk a refusal or a hidden fate; a callback that came meanwhile has moved the request already."""
    async with units() as uow:
        request = await uow.link_requests.lock_by_visit(linkable.context.hip_id, linkable.context.visit_code)
        if request is None or request.status is not awaiting:
            return
        last = exchange.attempts[-1]
        moved = request.move(
            failed_status(exchange) or awaiting,
            now=now,
            request_id=last.request_id,
            code=last.code or exchange.refusal,
        )
        await uow.link_requests.save(moved)
        await uow.commit()


def refused_for_good(request: LinkRequest) -> bool:
    """True when the link call for it was refused: sent again only when somebody asks, never by work left over."""
    return request.status is LinkStatus.REFUSED and request.led_by is not None


async def ask_again(uow: UnitOfWork, request: LinkRequest | None, *, now: datetime) -> None:
    """A new version of the visit, or an operator, is reason to send again what was refused."""
    if request is not None and refused_for_good(request):
        await uow.link_requests.save(request.move(LinkStatus.READY, now=now))

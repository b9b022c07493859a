"""How the pages of a push end: together, with an entry for each in the audit (AUD-01)."""

from collections.abc import Sequence

from hip.application.ports import Clock
from hip.application.storage import UnitOfWork, Units
from hip.domain.audit import AuditEntry
from hip.domain.transfers import Page, PageState

_UNAUTHORISED = 401


async def end_pages(units: Units, clock: Clock, pages: Sequence[Page], reason: str | None) -> None:
    """One push, one transaction: its pages were all taken, or none was, for ``reason``."""
    async with units() as uow:
        now = clock()
        for page in pages:
            current = await uow.transfers.lock_page(page.hip_id, page.transaction_id, page.number) or page
            ended = current.delivered(now=now) if reason is None else current.errored(reason, now=now)
            await save_page(uow, ended)
        await uow.commit()


async def save_page(uow: UnitOfWork, page: Page) -> None:
    """Save it; one that has ended is told to the audit."""
    await uow.transfers.save_page(page)
    if page.state is PageState.PENDING or page.finished_at is None:
        return
    await uow.audit.append(
        AuditEntry(
            hip_id=page.hip_id,
            at=page.finished_at,
            actor="worker",
            action=f"page-{page.state}",
            subject=page.transaction_id,
            detail=(
                ("page", str(page.number)),
                ("context", page.care_context_reference),
                ("type", page.hi_type or ""),
                ("attempts", str(page.attempts)),
            ),
        )
    )


def refused_with(status: int | str | None) -> str:
    """What the account says of a refusal.

    The operator decides on 401: a host that wants a token has to be named to get one (contract §2.11).
    """
    wants = ": it wants a token, which it is not given" if status == _UNAUTHORISED else ""
    return f"the requester refused it with HTTP {status}{wants}"

"""How pages are saved, with an entry in the audit for each that has ended (AUD-01)."""

from collections.abc import Sequence

from hip.application.storage import UnitOfWork
from hip.domain.audit import AuditEntry
from hip.domain.pages import Page, PageState
from hip.domain.transfers import Transfer

_UNAUTHORISED = 401


async def save_pages(uow: UnitOfWork, transfer: Transfer, pages: Sequence[Page]) -> None:
    """Save pages of a transfer that are locked; each that has ended is told to the audit."""
    await uow.transfers.save_pages(transfer.hip_id, transfer.transaction_id, pages)
    for page in pages:
        if page.state is PageState.PENDING or page.finished_at is None:
            continue
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

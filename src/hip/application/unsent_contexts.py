"""Care contexts of which nothing leaves: each gets an errored page, so that the account names it (REL-23)."""

from collections.abc import Sequence

from hip.application.storage import UnitOfWork
from hip.domain.consents import Consent, ConsentedContext
from hip.domain.pages import Page, PageState
from hip.domain.transfers import Transfer

_AT_ONCE = 200
"""How many are stored at a time: memory stays flat for any number."""


def named(consent: Consent) -> Sequence[ConsentedContext]:
    """Each care context once, however often the artefact names it; none when the artefact is gone."""
    return () if consent.artefact is None else list(dict.fromkeys(consent.artefact.care_contexts))


async def add_unsent(
    uow: UnitOfWork, transfer: Transfer, contexts: Sequence[tuple[ConsentedContext, str]], *, after: int = 0
) -> None:
    """One errored page for each context, with its reason, numbered from ``after`` + 1; what is there stays as it is."""
    for start in range(0, len(contexts), _AT_ONCE):
        chunk = contexts[start : start + _AT_ONCE]
        await uow.transfers.add_pages(
            [
                Page(
                    hip_id=transfer.hip_id,
                    transaction_id=transfer.transaction_id,
                    number=number,
                    care_context_reference=context.care_context_reference,
                    state=PageState.ERRORED,
                    reason=reason,
                    finished_at=transfer.updated_at,
                )
                for number, (context, reason) in enumerate(chunk, after + start + 1)
            ]
        )


async def add_refused(uow: UnitOfWork, transfer: Transfer, consent: Consent, reason: str) -> None:
    """Every context that the consent names, for one reason."""
    await add_unsent(uow, transfer, [(context, reason) for context in named(consent)])


async def accountable(uow: UnitOfWork, transfer: Transfer) -> bool:
    """Whether there is a care context to account for: a transfer whose consent was over when it came has none."""
    return bool(await uow.transfers.lock_pages(transfer.hip_id, transfer.transaction_id, [1]))

"""The release gate as the flows ask it: at the request, when pages are planned, and again before each page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hip.application.ports import Sealer
from hip.application.storage import UnitOfWork
from hip.domain.consents import Consent, ConsentedContext, Refusal
from hip.domain.errors import KeyMaterialRefused
from hip.domain.transfers import Page, PageState, Transfer

NOTHING_IN_RANGE = "no records in range"
"""What the gateway is told of a context whose records the request does not cover."""

NOT_KNOWN = "care context is not known here"


@dataclass(frozen=True, slots=True)
class ReleaseGate:
    """Decides by explicit rules (rules.md REL-…); everything that cannot be evaluated refuses."""

    sealer: Sealer

    def request(self, transfer: Transfer, consent: Consent | None, *, now: datetime) -> tuple[Refusal, ...]:
        """Every rule the request breaks; empty when it may be served."""
        if consent is None:
            return (Refusal(rule="REL-01", code="ABDM-1112", reason="the consent is not known"),)
        refusals = list(consent.permits_request(hip_id=transfer.hip_id, asked=transfer.request.date_range, now=now))
        try:
            transfer.request.key_material.require_usable(now=now)
            self.sealer.check(transfer.request.key_material)
        except KeyMaterialRefused as refusal:
            refusals.append(Refusal(rule="REL-14", code=refusal.code, reason=str(refusal)))
        return tuple(refusals)

    async def plan(self, uow: UnitOfWork, transfer: Transfer, consent: Consent) -> Sequence[Page]:
        """Every page of the transfer: those to push first, numbered from 1, then one for each context that has none.

        Only what the artefact names, is linked to its patient, lies in both date ranges and is of a consented type
        (REL-06, 07, 09, 10, 22).
        """
        artefact = consent.artefact
        if artefact is None:
            return ()
        to_push: list[Page] = []
        without: list[tuple[ConsentedContext, str]] = []
        for context in artefact.care_contexts:
            known = await uow.care_contexts.get(transfer.hip_id, context.care_context_reference)
            if known is None or known.patient_reference != context.patient_reference:
                without.append((context, NOT_KNOWN))
                continue
            types = [
                hi_type
                for hi_type in await uow.bundles.servable_types(transfer.hip_id, known.visit_code)
                if not artefact.permits_record(
                    context=context,
                    linked_to=known.linked_to,
                    hi_type=hi_type,
                    clinical_date=known.clinical_date,
                    asked=transfer.request.date_range,
                )
            ]
            if not types:
                without.append((context, NOTHING_IN_RANGE))
            to_push += [
                Page(
                    hip_id=transfer.hip_id,
                    transaction_id=transfer.transaction_id,
                    number=number,
                    care_context_reference=context.care_context_reference,
                    visit_code=known.visit_code,
                    hi_type=hi_type,
                )
                for number, hi_type in enumerate(types, len(to_push) + 1)
            ]
        return (*to_push, *self._unsent(transfer, without, after=len(to_push)))

    def refused_pages(self, transfer: Transfer, consent: Consent, reason: str) -> Sequence[Page]:
        """One errored page for each context of a consent that refuses: the notify names each (REL-23)."""
        contexts = consent.artefact.care_contexts if consent.artefact is not None else ()
        return self._unsent(transfer, [(context, reason) for context in contexts], after=0)

    def _unsent(
        self, transfer: Transfer, contexts: Sequence[tuple[ConsentedContext, str]], *, after: int
    ) -> Sequence[Page]:
        return tuple(
            Page(
                hip_id=transfer.hip_id,
                transaction_id=transfer.transaction_id,
                number=number,
                care_context_reference=context.care_context_reference,
                state=PageState.ERRORED,
                reason=reason,
                finished_at=transfer.updated_at,
            )
            for number, (context, reason) in enumerate(contexts, after + 1)
        )

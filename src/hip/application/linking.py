"""Flow: a visit whose bundles are all valid → link token → link call (contract §2.1, §2.2, LINK-01 … 05)."""

from dataclasses import dataclass

from hip.application.link_batches import LinkBatch, forget_token
from hip.application.link_tokens import remember
from hip.application.linkables import Linkable, refused_for_good
from hip.application.ports import Clock, Ids, TokenCache
from hip.application.storage import Units
from hip.application.token_requests import RequestToken
from hip.domain.audit import AuditEntry
from hip.domain.errors import LinkTokenRefused, NotFound, StorageFailed
from hip.domain.identifiers import CareContextReference, HipId, LinkReference, VisitCode
from hip.domain.links import LinkRequest, LinkStatus, LinkToken


@dataclass(frozen=True, slots=True)
class LinkVisit:
    """Bring one visit a step nearer to being linked; run again whenever something changed."""

    units: Units
    tokens: TokenCache
    request_token: RequestToken
    link_batch: LinkBatch
    clock: Clock
    ids: Ids

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """``key`` is the visit code. Raises NotFound when the visit has no care context yet (LINK-05)."""
        linkable = await self._prepare(hip_id, VisitCode(key))
        if linkable is None:
            return
        token = await self._token(linkable)
        if token is None:
            await self.request_token(linkable)
        else:
            await self.link_batch(linkable, token)

    async def _prepare(self, hip_id: HipId, visit_code: VisitCode) -> Linkable | None:
        now = self.clock()
        async with self.units() as uow:
            request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
            context = await uow.care_contexts.get(hip_id, CareContextReference(visit_code))
            if context is None:
                raise NotFound("care context", visit_code)
            patient = await uow.patients.get(hip_id, context.patient_reference)
            if patient is None or patient.abha_address is None or context.linked or not context.hi_types:
                return None
            if request is None or request.abha_address != patient.abha_address:
                request = LinkRequest(
                    hip_id=hip_id,
                    reference=request.reference if request else LinkReference(self.ids()),
                    visit_code=visit_code,
                    patient_reference=patient.reference,
                    abha_address=patient.abha_address,
                    status=LinkStatus.AWAITING_TOKEN,
                    created_at=request.created_at if request else now,
                    updated_at=now,
                )
                await uow.link_requests.save(request)
                await uow.commit()
            elif refused_for_good(request):
                return None
        return Linkable(context=context, patient=patient, abha_address=patient.abha_address, request=request)

    async def _token(self, linkable: Linkable) -> LinkToken | None:
        """A token that fits, from the cache or from Postgres. A token that does not fit is as good as none."""
        hip_id, address, now = linkable.context.hip_id, linkable.abha_address, self.clock()
        token: LinkToken | None = None
        try:
            token = await self.tokens.get(hip_id, address, now=now)
        except StorageFailed:
            token = None  # the cache holds nothing that Postgres does not
        cached = token is not None
        if token is None:
            async with self.units() as uow:
                token = await uow.link_tokens.current(hip_id, address, now=now)
        if token is None:
            return None
        try:
            token.require_fit(hip_id=hip_id, abha_address=address, abha_number=linkable.patient.abha_number, now=now)
        except LinkTokenRefused as misfit:
            if token.unusable(now=now) not in (None, "ABDM-1026"):
                await self._drop(token, misfit.code)
            return None
        if not cached:
            await remember(self.tokens, token, now=now)
        return token

    async def _drop(self, token: LinkToken, code: str) -> None:
        """LINK-01: a token that names somebody else is forgotten, in the cache too, and the audit says why."""
        async with self.units() as uow:
            await uow.link_tokens.drop(token.hip_id, token.abha_address)
            await uow.audit.append(
                AuditEntry(
                    hip_id=token.hip_id,
                    at=self.clock(),
                    actor="worker",
                    action="link-token-dropped",
                    subject=token.hip_id,
                    detail=(("code", code),),
                )
            )
            await uow.commit()
        await forget_token(self.tokens, token.hip_id, token.abha_address)

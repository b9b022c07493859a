"""Flow: AMRIT's document collections are written from Postgres rows, under the same keys, as often as needed."""

from dataclasses import dataclass

from hip.application.mirrors import MirrorVisit
from hip.application.ports import Clock, KeyVault, Projections
from hip.application.storage import Units
from hip.domain.callbacks import CallbackId
from hip.domain.identifiers import HipId, PatientReference, RequestId, VisitCode


@dataclass(frozen=True, slots=True)
class Project:
    """``key`` is ``callback|id``, ``token|request id``, ``contexts|patient reference`` or ``visit|visit code``.

    The last is there only where ``mirror`` is (HIP_AMRIT_DUAL_WRITE).
    """

    units: Units
    projections: Projections
    vault: KeyVault
    clock: Clock
    mirror: MirrorVisit | None = None

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """A Mongo outage raises StorageFailed: delayed, nothing lost."""
        kind, _, subject = key.partition("|")
        match kind:
            case "callback":
                await self._callback(hip_id, CallbackId(subject))
            case "token":
                await self._token(hip_id, RequestId(subject))
            case "contexts":
                await self._contexts(hip_id, PatientReference(subject))
                if self.mirror is not None:
                    await self.mirror.patient(hip_id, PatientReference(subject))
            case "visit" if self.mirror is not None:
                await self.mirror(hip_id, VisitCode(subject))

    async def _callback(self, hip_id: HipId, callback_id: CallbackId) -> None:
        async with self.units() as uow:
            callback = await uow.callbacks.get(hip_id, callback_id)
        if callback is not None:
            await self.projections.put_gateway_response(
                hip_id,
                callback.request_id,
                path=callback.path,
                sealed_body=callback.sealed_body,
                now=callback.received_at,
            )

    async def _token(self, hip_id: HipId, request_id: RequestId) -> None:
        async with self.units() as uow:
            answer = await uow.link_tokens.answer(hip_id, request_id)
        if answer is None:
            return
        sealed = None
        if answer.token is not None:
            context = f"GenerateLinkTokenResponse/{hip_id}/{request_id}"
            sealed = self.vault.seal(answer.token.value.encode(), context=context)
        await self.projections.put_link_token(
            hip_id,
            request_id,
            abha_address=answer.abha_address,
            sealed_token=sealed,
            error_code=answer.error_code,
            now=answer.created_at,
        )

    async def _contexts(self, hip_id: HipId, reference: PatientReference) -> None:
        async with self.units() as uow:
            patient = await uow.patients.get(hip_id, reference)
            contexts = await uow.care_contexts.of_patient(hip_id, reference)
        if patient is not None:
            await self.projections.put_patient_contexts(hip_id, patient, [c for c in contexts if c.linked])

"""Flow: a visit of a patient without an ABHA address → one SMS with a deep link (contract §2.4)."""

from dataclasses import dataclass

from hip.application.conversations import Conversations
from hip.application.gateway_calls import SmsNotify
from hip.application.linkables import failed_status
from hip.application.ports import Clock, Facilities, Ids
from hip.application.storage import Units
from hip.domain.errors import NotFound
from hip.domain.identifiers import CareContextReference, HipId, LinkReference, VisitCode
from hip.domain.links import LinkRequest, LinkStatus
from hip.domain.patients import Patient


@dataclass(frozen=True, slots=True)
class SendSmsLink:
    """At most once per patient and visit, whatever is repeated: a person feels it."""

    units: Units
    conversations: Conversations
    facilities: Facilities
    clock: Clock
    ids: Ids

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """``key`` is the visit code. A patient without a phone is left alone."""
        facility = self.facilities.find(hip_id)
        if facility is None:
            raise NotFound("facility", hip_id, code="ABDM-1035")
        visit_code = VisitCode(key)
        patient = await self._prepare(hip_id, visit_code)
        if patient is None or patient.phone is None:
            return
        exchange = await self.conversations.hold(
            SmsNotify(
                phone=patient.phone, facility_name=facility.name_in_messages, key=f"{visit_code}|{patient.reference}"
            ),
            hip_id=hip_id,
        )
        status = LinkStatus.SMS_SENT if exchange.succeeded else failed_status(exchange)
        async with self.units() as uow:
            request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
            if request is None or request.status is not LinkStatus.SMS_REQUESTED:
                return
            last = exchange.attempts[-1]
            await uow.link_requests.save(
                request.move(
                    status or LinkStatus.SMS_REQUESTED, now=self.clock(), request_id=last.request_id, code=last.code
                )
            )
            await uow.commit()

    async def _prepare(self, hip_id: HipId, visit_code: VisitCode) -> Patient | None:
        now = self.clock()
        async with self.units() as uow:
            context = await uow.care_contexts.get(hip_id, CareContextReference(visit_code))
            if context is None:
                raise NotFound("care context", visit_code)
            patient = await uow.patients.get(hip_id, context.patient_reference)
            reachable = patient is not None and patient.phone is not None and patient.closed_account is None
            if patient is None or patient.linkable or not reachable or context.linked:
                return None
            request = await uow.link_requests.lock_by_visit(hip_id, visit_code)
            if request is None:
                await uow.link_requests.save(
                    LinkRequest(
                        hip_id=hip_id,
                        reference=LinkReference(self.ids()),
                        visit_code=visit_code,
                        patient_reference=patient.reference,
                        abha_address=None,
                        status=LinkStatus.SMS_REQUESTED,
                        created_at=now,
                        updated_at=now,
                    )
                )
                await uow.commit()
            elif request.status is LinkStatus.REFUSED and request.abha_address is None:
                # The gateway sent none, and is asked again: by a new version of the visit, or by an operator.
                await uow.link_requests.save(request.move(LinkStatus.SMS_REQUESTED, now=now))
                await uow.commit()
        return patient

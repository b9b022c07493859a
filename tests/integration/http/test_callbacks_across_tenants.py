"""A callback to one facility that names what belongs to another changes nothing of the other (API-02, CB-05)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from tests.builders.consents import a_consent
from tests.builders.conversations import an_exchange
from tests.builders.edge import Edge, edge
from tests.builders.links import MEERA_ADDRESS, OTP, a_care_context, a_discovery, a_link_attempt, a_link_request
from tests.builders.transfers import a_transfer
from tests.builders.visits import MEERA
from tests.unit.gateway import bodies
from tests.unit.gateway.bodies import changed

from hip.application.storage import Listing
from hip.domain.exchanges import Flow
from hip.domain.identifiers import (
    CareContextReference,
    ConsentId,
    HipId,
    LinkReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.links import LinkStatus

OURS, THEIRS = HipId("IN0410000123"), HipId("IN0410000999")
CONSENT, TRANSFER = "7a1d0c3e-6f2b-4f08-8f5e-1b9d2c7a4e60", "d2a0f2de-5a3f-4f0d-8a5a-0d7e7f3c9b21"
DISCOVERY, REFERENCE = "5f0d5a0e-2f7b-49d8-9a9f-3a5c4b0d7e21", "0a9a2b61-2b1d-4a8e-9c5f-7d1e0c8b6a45"
CALLS = {
    Flow.GENERATE_TOKEN: (str(MEERA_ADDRESS), "00000000-0000-4000-8000-000000000001"),
    Flow.LINK_CARE_CONTEXT: ("88120", "00000000-0000-4000-8000-000000000002"),
    Flow.CONTEXT_NOTIFY: ("88120|2", "00000000-0000-4000-8000-000000000003"),
    Flow.SMS_NOTIFY: ("88121|PAT-20417", "00000000-0000-4000-8000-000000000004"),
}


def answering(body: dict[str, Any], flow: Flow) -> dict[str, Any]:
    under = "resp" if "resp" in body else "response"
    return {**body, under: {"requestId": CALLS[flow][1]}}


CLOSED = {"notification": {"status": "DEACTIVATED", "patient": {"id": str(MEERA_ADDRESS)}}}
CHOICE = {
    "transactionId": DISCOVERY,
    "abhaAddress": str(MEERA_ADDRESS),
    "patient": [
        {
            "referenceNumber": "PAT-20417",
            "careContexts": [{"referenceNumber": "88120"}],
            "hiType": "OPConsultation",
            "count": 1,
        }
    ],
}
CASES: dict[str, tuple[str, Any]] = {
    "the REQUEST-ID of a token call": (bodies.TOKEN_PATH, answering(bodies.TOKEN, Flow.GENERATE_TOKEN)),
    "the same, with an error": (bodies.TOKEN_PATH, answering(bodies.TOKEN_ERROR, Flow.GENERATE_TOKEN)),
    "the REQUEST-ID of a link call": (bodies.LINK_PATH, answering(bodies.LINK, Flow.LINK_CARE_CONTEXT)),
    "the REQUEST-ID of a context notify": (bodies.CONTEXT_PATH, answering(bodies.CONTEXT, Flow.CONTEXT_NOTIFY)),
    "the REQUEST-ID of an SMS notify": (bodies.SMS_PATH, answering(bodies.SMS, Flow.SMS_NOTIFY)),
    "the transaction of a discovery, to link": (bodies.INIT_PATH, CHOICE),
    "a link reference and its OTP": (
        bodies.CONFIRM_PATH,
        {"confirmation": {"token": OTP, "linkRefNumber": REFERENCE}},
    ),
    "a link reference and a wrong OTP": (
        bodies.CONFIRM_PATH,
        {"confirmation": {"token": "000000", "linkRefNumber": REFERENCE}},
    ),
    "a consent, revoked": (
        bodies.CONSENT_PATH,
        {"notification": {"status": "REVOKED", "consentId": CONSENT}},
    ),
    "a consent and the transaction of its transfer": (
        bodies.REQUEST_PATH,
        {**bodies.REQUEST, "transactionId": TRANSFER},
    ),
    "a consent, under a new transaction": (bodies.REQUEST_PATH, {**bodies.REQUEST, "transactionId": str(uuid4())}),
    "a patient who closed the account": (bodies.STATUS_PATH, CLOSED),
}


async def filled(service: Edge) -> None:
    """Ours has one of everything that a callback can be about; theirs has nothing."""
    now = datetime.now(UTC)
    due = now + timedelta(minutes=9)
    context = CareContextReference("88120")
    async with service.adapters.units()() as uow:
        await uow.patients.save(MEERA, hip_id=OURS)
        await uow.care_contexts.save(a_care_context(hip_id=OURS, reference=context))
        for visit, status, flow in (
            ("88120", LinkStatus.REQUESTED, Flow.LINK_CARE_CONTEXT),
            ("88121", LinkStatus.SMS_REQUESTED, Flow.SMS_NOTIFY),
        ):
            await uow.link_requests.save(
                a_link_request(
                    hip_id=OURS,
                    reference=LinkReference(f"link-{visit}"),
                    visit_code=VisitCode(visit),
                    status=status,
                    request_id=RequestId(CALLS[flow][1]),
                    led_by=VisitCode(visit),
                    created_at=now,
                    updated_at=now,
                )
            )
        for number, (flow, (key, request_id)) in enumerate(CALLS.items()):
            exchange = an_exchange(
                id_=f"exchange-{number}",
                hip_id=OURS,
                flow=flow,
                business_key=key,
                request_id=RequestId(request_id),
                now=now,
                answer_due=due,
            )
            await uow.exchanges.save(exchange.accept(RequestId(request_id), status=202, now=now))
        await uow.discoveries.add(a_discovery(hip_id=OURS, transaction_id=TransactionId(DISCOVERY), received_at=now))
        await uow.link_attempts.save(
            a_link_attempt(
                hip_id=OURS,
                reference=LinkReference(REFERENCE),
                transaction_id=TransactionId(DISCOVERY),
                created_at=now,
                updated_at=now,
                expires_at=due,
            )
        )
        await uow.consents.save(a_consent(hip_id=OURS, consent_id=ConsentId(CONSENT), artefact=None))
        await uow.transfers.add(
            a_transfer(
                hip_id=OURS,
                transaction_id=TransactionId(TRANSFER),
                consent_id=ConsentId(CONSENT),
                requested_at=now,
                updated_at=now,
                deadline=now + timedelta(hours=1),
            )
        )
        await uow.commit()


async def ours(service: Edge) -> list[Any]:
    """Everything of our facility that a callback could have touched, and what was noted of it."""
    listing = Listing(hip_id=OURS, limit=100)
    async with service.adapters.units()() as uow:
        return [
            await uow.patients.get(OURS, MEERA.reference),
            await uow.care_contexts.get(OURS, CareContextReference("88120")),
            await uow.link_requests.list(listing),
            await uow.link_tokens.current(OURS, MEERA_ADDRESS, now=datetime.now(UTC)),
            await uow.link_attempts.get(OURS, LinkReference(REFERENCE)),
            await uow.link_attempts.lock_latest(OURS, TransactionId(DISCOVERY)),
            await uow.discoveries.get(OURS, TransactionId(DISCOVERY)),
            await uow.consents.list(listing),
            await uow.transfers.list(listing),
            await uow.shares.list(listing),
            await uow.exchanges.list(listing),
            await uow.callbacks.list(listing),
            await uow.audit.list(listing),
        ]


@pytest.mark.parametrize("named", CASES)
def test_cb_05_what_belongs_to_another_facility_is_not_reached_by_its_id(named: str) -> None:
    path, body = CASES[named]

    async def story() -> None:
        async with edge() as service:
            await filled(service)
            await service.idle()
            before = await ours(service)
            taken = await service.call_back(path, body, x_hip_id=THEIRS)
            assert taken.status_code == 202, taken.text
            await service.idle()
            assert await ours(service) == before
            # The very same to the facility it belongs to is not without effect, beyond being noted as a callback.
            taken = await service.call_back(path, body, x_hip_id=OURS)
            assert taken.status_code == 202, taken.text
            async with asyncio.timeout(20):
                while (await ours(service))[:-2] == before[:-2] and (await ours(service))[-1] == before[-1]:
                    await asyncio.sleep(0.01)

    asyncio.run(story())


async def over_the_wall(path: str, raw: bytes) -> None:
    """A callback to the other facility that names ours: it is taken, and nothing of ours changes."""
    async with edge() as service:
        await filled(service)
        await service.idle()
        before = await ours(service)
        taken = await service.call_back(path, raw=raw, x_hip_id=THEIRS)
        assert taken.status_code == 202, taken.text
        await service.idle()
        assert await ours(service) == before


def test_cb_05_a_consent_of_another_facility_is_not_granted_over_it() -> None:
    granted = changed(bodies.GRANTED, "notification.consentDetail.hip.id", OURS)
    asyncio.run(over_the_wall(bodies.CONSENT_PATH, granted))


def test_cb_05_a_profile_shared_with_one_facility_takes_no_place_in_the_queue_of_another() -> None:
    shared = changed(bodies.SHARE, "metaData.hipId", OURS)
    asyncio.run(over_the_wall(bodies.SHARE_PATH, shared))

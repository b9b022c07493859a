"""What names an ABHA account is found by it and can be made to forget it (RET-02)."""

from dataclasses import replace

import pytest
from tests.builders.consents import a_consent
from tests.builders.conversations import an_exchange
from tests.builders.links import (
    HIP,
    MEERA_ADDRESS,
    OTHER_HIP,
    a_care_context,
    a_discovery,
    a_link_attempt,
    a_link_request,
    a_link_token,
)
from tests.builders.moments import NOW, SECOND
from tests.builders.visits import MEERA

from hip.application.storage import Units
from hip.domain.accounts import alias
from hip.domain.exchanges import ExchangeId, Flow
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    ConsentId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.link_attempts import AttemptState

pytestmark = pytest.mark.anyio
GONE, RAVI = alias("0" * 32), AbhaAddress("ravi@sbx")
ONE, TWO = RequestId("request-1"), RequestId("request-2")


async def test_a_closed_account_comes_back_with_its_patients(units: Units) -> None:
    closed = MEERA.closing("account-1")
    other = replace(closed, reference=PatientReference("PAT-1"))
    async with units() as uow:
        for patient, hip_id in ((closed, HIP), (other, HIP), (closed, OTHER_HIP)):
            await uow.patients.save(patient, hip_id=hip_id)
        await uow.patients.save(replace(MEERA, reference=PatientReference("PAT-2")), hip_id=HIP)
        await uow.commit()
    async with units() as uow:
        assert await uow.patients.of_closed_account(HIP, "account-1") == [other, closed]
        assert await uow.patients.of_closed_account(HIP, "account-2") == []
        assert await uow.patients.get(HIP, MEERA.reference) == closed
        await uow.patients.save(closed.reopening(), hip_id=HIP)
        assert await uow.patients.of_closed_account(HIP, "account-1") == [other]


async def test_contexts_and_requests_of_an_address(units: Units) -> None:
    linked = a_care_context().link(MEERA_ADDRESS, reference=LinkReference("link-1"), now=NOW)
    newer = replace(linked, reference=CareContextReference("88121"), clinical_date=NOW + SECOND)
    later = a_link_request(reference=LinkReference("link-2"), visit_code=VisitCode("1"), created_at=NOW + SECOND)
    async with units() as uow:
        for context in (linked, newer, a_care_context(reference=CareContextReference("88122"))):
            await uow.care_contexts.save(context)
        await uow.care_contexts.save(replace(linked, hip_id=OTHER_HIP))
        for request in (later, a_link_request(), a_link_request(reference=LinkReference("3"), abha_address=RAVI)):
            await uow.link_requests.save(request)
        assert await uow.care_contexts.linked_to(HIP, MEERA_ADDRESS) == [newer, linked]
        assert await uow.care_contexts.linked_to(HIP, RAVI) == []
        assert await uow.link_requests.of_address(HIP, MEERA_ADDRESS) == [a_link_request(), later]
        await uow.care_contexts.save(linked.forget_link())
        await uow.link_requests.save(later.forget_account(now=NOW))
        assert await uow.care_contexts.linked_to(HIP, MEERA_ADDRESS) == [newer]
        assert await uow.link_requests.of_address(HIP, MEERA_ADDRESS) == [a_link_request()]


async def test_consents_of_a_patient_while_their_artefact_is_there(units: Units) -> None:
    ours = a_consent()
    assert ours.artefact is not None
    patient = ours.artefact.patient
    theirs = a_consent(
        consent_id=ConsentId("consent-2"), artefact=replace(ours.artefact, patient=AbhaAddress("ravi@sbx"))
    )
    async with units() as uow:
        for consent in (ours, theirs, replace(ours, hip_id=OTHER_HIP)):
            await uow.consents.save(consent)
        await uow.commit()
    async with units() as uow:
        assert await uow.consents.of_patient(HIP, patient) == [ours]
        await uow.consents.save(replace(ours, artefact=None))
        assert await uow.consents.of_patient(HIP, patient) == []


async def test_tokens_forget_their_address_and_stay_dropped(units: Units) -> None:
    async with units() as uow:
        await uow.link_tokens.put(a_link_token(), request_id=ONE, now=NOW)
        await uow.link_tokens.put_refusal(HIP, MEERA_ADDRESS, "ABDM-1207", request_id=TWO, now=NOW)
        await uow.link_tokens.put(a_link_token(abha_address=RAVI), request_id=RequestId("request-3"), now=NOW)
        await uow.link_tokens.put(a_link_token(hip_id=OTHER_HIP), request_id=ONE, now=NOW)
        assert set(await uow.link_tokens.forget(HIP, MEERA_ADDRESS, alias=GONE)) == {ONE, TWO}
        await uow.commit()
    async with units() as uow:
        await uow.link_tokens.put(a_link_token(), request_id=ONE, now=NOW)
        assert await uow.link_tokens.current(HIP, MEERA_ADDRESS, now=NOW) is None
        assert await uow.link_tokens.current(HIP, RAVI, now=NOW) is not None
        assert await uow.link_tokens.current(OTHER_HIP, MEERA_ADDRESS, now=NOW) is not None
        answer = await uow.link_tokens.answer(HIP, TWO)
    assert answer is not None
    assert (answer.abha_address, answer.error_code) == (GONE, "ABDM-1207")


async def test_conversations_discoveries_and_attempts_forget_their_address(units: Units) -> None:
    exchange = an_exchange()
    flow, key = Flow.GENERATE_TOKEN, exchange.business_key
    async with units() as uow:
        await uow.exchanges.save(exchange)
        await uow.discoveries.add(a_discovery())
        await uow.discoveries.add(a_discovery(transaction_id=TransactionId("d-2"), abha_address=RAVI))
        await uow.link_attempts.save(a_link_attempt())
        await uow.link_attempts.save(a_link_attempt(reference=LinkReference("a-2"), abha_address=RAVI))
        await uow.exchanges.forget(HIP, flow, key, alias=str(GONE))
        await uow.discoveries.forget(HIP, MEERA_ADDRESS, alias=GONE)
        await uow.link_attempts.forget(HIP, MEERA_ADDRESS, alias=GONE)
        await uow.commit()
    async with units() as uow:
        assert await uow.exchanges.lock_latest(HIP, flow, key) is None
        assert await uow.exchanges.get(HIP, ExchangeId("exchange-1")) == replace(exchange, business_key=str(GONE))
        assert await uow.discoveries.get(HIP, TransactionId("discovery-1")) == a_discovery(abha_address=GONE)
        assert await uow.discoveries.get(HIP, TransactionId("d-2")) is not None
        forgotten = await uow.link_attempts.lock(HIP, LinkReference("attempt-1"))
        assert forgotten == a_link_attempt(abha_address=GONE, state=AttemptState.FAILED, code="ABDM-1407")
        kept = await uow.link_attempts.lock(HIP, LinkReference("a-2"))
    assert kept is not None
    assert kept.state is AttemptState.OTP_SENT

"""The same keys under two HIPs never meet, in any collection."""

from dataclasses import replace

import pytest
from tests.builders.consents import a_consent
from tests.builders.conversations import a_callback, an_exchange
from tests.builders.links import (
    HIP,
    MEERA_ADDRESS,
    OTHER_HIP,
    a_care_context,
    a_discovery,
    a_link_request,
    a_link_token,
)
from tests.builders.moments import DAY, NOW, SECOND
from tests.builders.stored_visits import a_bundle_key, a_bundle_record, a_stored_visit, a_trigger
from tests.builders.transfers import a_page, a_transfer
from tests.builders.visits import MEERA

from hip.application.storage import UnitOfWork, Units
from hip.domain.callbacks import CallbackId
from hip.domain.discovery import PatientIdentifiers
from hip.domain.exchanges import ExchangeId, Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    CareContextReference,
    ConsentId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)

pytestmark = pytest.mark.anyio
REQUEST, VISIT = RequestId("request-1"), VisitCode("88120")
TRANSFER, CONSENT, PATIENT = TransactionId("transfer-1"), ConsentId("consent-1"), PatientReference("PAT-20417")


async def test_callbacks(units: Units) -> None:
    theirs = a_callback(hip_id=OTHER_HIP, body_hash="00" * 32)
    async with units() as uow:
        assert await uow.callbacks.add(a_callback())
        assert await uow.callbacks.add(theirs)
        failed = theirs.failed("REL-02", now=NOW)
        await uow.callbacks.save(failed)
        assert await uow.callbacks.get(HIP, CallbackId("callback-1")) == a_callback()
        assert await uow.callbacks.get(OTHER_HIP, CallbackId("callback-1")) == failed


async def test_exchanges(units: Units) -> None:
    attempt = RequestId("attempt-1")
    theirs = an_exchange(hip_id=OTHER_HIP, now=NOW + SECOND)
    async with units() as uow:
        await uow.exchanges.save(an_exchange())
        await uow.exchanges.save(theirs)
        await uow.exchanges.save(theirs.accept(attempt, status=202, now=NOW + DAY))
        assert await uow.exchanges.get(HIP, ExchangeId("exchange-1")) == an_exchange()
        assert await uow.exchanges.lock_by_request_id(HIP, attempt) == an_exchange()
        assert await uow.exchanges.lock_latest(HIP, Flow.GENERATE_TOKEN, "meera.k01@sbx") == an_exchange()
        since = NOW - SECOND
        assert await uow.exchanges.requests_since(HIP, Flow.GENERATE_TOKEN, "meera.k01@sbx", since) == 1
        assert len(await uow.exchanges.lapsed(now=NOW + DAY, limit=10)) == 2  # the sweep serves every HIP


async def test_link_tokens(units: Units) -> None:
    theirs = a_link_token(hip_id=OTHER_HIP, value="theirs")
    async with units() as uow:
        await uow.link_tokens.put(a_link_token(), request_id=REQUEST, now=NOW)
        await uow.link_tokens.put(theirs, request_id=REQUEST, now=NOW + SECOND)
        assert await uow.link_tokens.current(HIP, MEERA_ADDRESS, now=NOW) == a_link_token()
        await uow.link_tokens.drop(HIP, MEERA_ADDRESS)
        assert await uow.link_tokens.current(HIP, MEERA_ADDRESS, now=NOW) is None
        assert await uow.link_tokens.current(OTHER_HIP, MEERA_ADDRESS, now=NOW) == theirs
        answer = await uow.link_tokens.answer(OTHER_HIP, REQUEST)
        assert answer is not None
        assert answer.token == theirs


async def test_link_requests(units: Units) -> None:
    ours = a_link_request(request_id=REQUEST)
    theirs = replace(ours, hip_id=OTHER_HIP, token_renewed=True)
    async with units() as uow:
        await uow.link_requests.save(ours)
        await uow.link_requests.save(theirs)
        assert await uow.link_requests.by_reference(HIP, LinkReference("link-1")) == ours
        assert await uow.link_requests.lock_by_visit(HIP, VISIT) == ours
        assert await uow.link_requests.by_request_id(HIP, REQUEST) == [ours]
        assert await uow.link_requests.awaiting_token(OTHER_HIP, MEERA_ADDRESS) == [theirs]


async def test_care_contexts(units: Units) -> None:
    theirs = a_care_context(hip_id=OTHER_HIP, display="theirs")
    async with units() as uow:
        await uow.care_contexts.save(a_care_context())
        await uow.care_contexts.save(theirs)
        assert await uow.care_contexts.get(HIP, CareContextReference("88120")) == a_care_context()
        assert await uow.care_contexts.lock(OTHER_HIP, CareContextReference("88120")) == theirs
        assert await uow.care_contexts.of_patient(HIP, PATIENT) == [a_care_context()]
        assert await uow.care_contexts.unlinked(OTHER_HIP, PATIENT, per_hi_type=9) == [theirs]


async def test_a_foreign_care_context_uses_up_no_share_of_ours(units: Units) -> None:
    theirs = a_care_context(hip_id=OTHER_HIP, reference=CareContextReference("99999"), clinical_date=NOW + DAY)
    async with units() as uow:
        await uow.care_contexts.save(a_care_context())
        await uow.care_contexts.save(theirs)
        assert await uow.care_contexts.unlinked(HIP, PATIENT, per_hi_type=1) == [a_care_context()]


async def test_patients(units: Units) -> None:
    theirs = replace(MEERA, name="Meera K")
    wanted = PatientIdentifiers(
        abha_addresses=frozenset({MEERA_ADDRESS}),
        mobiles=frozenset({"9876543210"}),
    )
    async with units() as uow:
        await uow.patients.save(MEERA, hip_id=HIP)
        await uow.patients.save(theirs, hip_id=OTHER_HIP)
        assert await uow.patients.get(HIP, PATIENT) == MEERA
        assert await uow.patients.get(OTHER_HIP, PATIENT) == theirs
        assert await uow.patients.candidates(HIP, wanted, limit=9) == [MEERA]


async def test_visits_and_triggers(units: Units) -> None:
    theirs = a_stored_visit(hip_id=OTHER_HIP, category="Dental")
    async with units() as uow:
        await uow.visits.save(a_stored_visit())
        await uow.visits.save(theirs)
        await uow.triggers.save(a_trigger())
        await uow.triggers.save(a_trigger(hip_id=OTHER_HIP).process(now=NOW))
        assert await uow.visits.get(HIP, VISIT) == a_stored_visit()
        assert await uow.visits.lock(OTHER_HIP, VISIT) == theirs
        assert await uow.triggers.get(HIP, VISIT) == a_trigger()
        assert await uow.triggers.get(OTHER_HIP, VISIT) == a_trigger(hip_id=OTHER_HIP).process(now=NOW)


async def test_bundles(units: Units) -> None:
    theirs = a_bundle_record(key=a_bundle_key(hip_id=OTHER_HIP), version=7, sha256="00" * 32)
    async with units() as uow:
        await uow.bundles.add(a_bundle_record())
        await uow.bundles.add(theirs)
        assert await uow.bundles.of_visit(HIP, VISIT) == [a_bundle_record()]
        assert await uow.bundles.servable(a_bundle_key(hip_id=OTHER_HIP)) == theirs
        await uow.bundles.add(a_bundle_record(key=a_bundle_key(hip_id=OTHER_HIP, hi_type=HiType.INVOICE)))
        assert await uow.bundles.servable_types(HIP, VISIT) == [HiType.PRESCRIPTION]


async def test_discoveries(units: Units) -> None:
    theirs = a_discovery(hip_id=OTHER_HIP, patient_reference=None)
    async with units() as uow:
        assert await uow.discoveries.add(a_discovery())
        assert await uow.discoveries.add(theirs)
        assert await uow.discoveries.get(HIP, TransactionId("discovery-1")) == a_discovery()
        assert await uow.discoveries.get(OTHER_HIP, TransactionId("discovery-1")) == theirs


async def test_consents(units: Units) -> None:
    theirs = a_consent(hip_id=OTHER_HIP, artefact=None)
    async with units() as uow:
        await uow.consents.save(a_consent())
        await uow.consents.save(theirs)
        assert await uow.consents.get(HIP, CONSENT) == a_consent()
        assert await uow.consents.lock(OTHER_HIP, CONSENT) == theirs


async def _two_transfers(uow: UnitOfWork) -> None:
    assert await uow.transfers.add(a_transfer())
    assert await uow.transfers.add(a_transfer(hip_id=OTHER_HIP, attempts=7))
    await uow.transfers.add_pages([a_page(), a_page(hip_id=OTHER_HIP, hi_type=HiType.INVOICE)])


async def test_transfers(units: Units) -> None:
    async with units() as uow:
        await _two_transfers(uow)
        await uow.transfers.save(a_transfer(hip_id=OTHER_HIP, attempts=8))
        assert await uow.transfers.get(HIP, TRANSFER) == a_transfer()
        assert await uow.transfers.lock(OTHER_HIP, TRANSFER) == a_transfer(hip_id=OTHER_HIP, attempts=8)
        assert await uow.transfers.open_of_consent(HIP, CONSENT) == [a_transfer()]


async def test_pages(units: Units) -> None:
    theirs = a_page(hip_id=OTHER_HIP, hi_type=HiType.INVOICE)
    async with units() as uow:
        await _two_transfers(uow)
        await uow.transfers.save_page(theirs.delivered(now=NOW))
        assert await uow.transfers.pages(HIP, TRANSFER) == [a_page()]
        assert await uow.transfers.pending_pages(HIP, TRANSFER, limit=9) == [a_page()]
        assert await uow.transfers.pending_pages(OTHER_HIP, TRANSFER, limit=9) == []
        assert await uow.transfers.lock_page(OTHER_HIP, TRANSFER, 1) == theirs.delivered(now=NOW)

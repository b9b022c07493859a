"""A patient closes an ABHA account: what goes, what stays, and what does not come back (contract §2.14, RET-02)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.conversations import a_callback
from tests.builders.flows import HIP, House, an_artefact
from tests.builders.patient_apps import ADDRESS, PatientApp
from tests.builders.releases import accounts, audited, decisions, transfer_of
from tests.builders.visits import MEERA, a_visit

from hip.application.gateway_events import AccountChanged
from hip.application.storage import Listing
from hip.domain.accounts import AccountStatus
from hip.domain.callbacks import CallbackId
from hip.domain.consents import ConsentStatus
from hip.domain.decisions import Stage
from hip.domain.errors import Transient
from hip.domain.exchanges import Flow
from hip.domain.identifiers import AbhaAddress, CareContextReference, PatientReference, TransactionId, VisitCode
from hip.domain.links import LinkStatus
from hip.domain.patients import Patient
from hip.domain.transfers import TransferOutcome, TransferState

CODE, PATIENT = VisitCode("88120"), PatientReference("PAT-20417")


def play(story: Callable[[House], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story(House())

    asyncio.run(whole())


async def change(house: House, status: AccountStatus, address: AbhaAddress = ADDRESS) -> None:
    await house.change_account(house.delivery("the-notice"), AccountChanged(abha_address=address, status=status))
    await house.work()


async def patient_of(house: House) -> Patient:
    async with house.units() as uow:
        found = await uow.patients.get(HIP, PATIENT)
    assert found is not None
    return found


async def consented(house: House) -> None:
    await house.link()
    await house.grant(an_artefact())


@pytest.mark.parametrize("status", [AccountStatus.DEACTIVATED, AccountStatus.DELETED])
def test_ret_02_address_links_consents_and_tokens_go_and_the_records_stay(status: AccountStatus) -> None:
    async def story(house: House) -> None:
        await consented(house)
        await change(house, status)
        patient = await patient_of(house)
        assert (patient.abha_address, patient.abha_number, patient.name) == (None, None, "Meera Kulkarni")
        async with house.units() as uow:
            context = await uow.care_contexts.get(HIP, CareContextReference(CODE))
            request = await uow.link_requests.lock_by_visit(HIP, CODE)
            consent = await uow.consents.get(HIP, an_artefact().consent_id)
            token = await uow.link_tokens.current(HIP, ADDRESS, now=house.clock())
            bundles = await uow.bundles.servable_types(HIP, CODE)
            visit = await uow.visits.get(HIP, CODE)
        assert context is not None
        assert request is not None
        assert consent is not None
        assert (context.linked_to, request.abha_address, token) == (None, None, None)
        assert (consent.status, consent.artefact) == (ConsentStatus.REVOKED, None)
        assert consent.artefact_hash is not None, "a tombstone is left"
        assert await house.tokens.get(HIP, ADDRESS, now=house.clock()) is None
        assert len(bundles) == 3
        assert visit is not None

    play(story)


def test_the_address_is_left_in_no_row_and_no_document() -> None:
    async def story(house: House) -> None:
        app = PatientApp(house)
        await consented(house)
        await app.visit("88121", patient=MEERA)
        await app.discover()
        await change(house, AccountStatus.DELETED)
        tables = house.database._tables
        rows = [
            row
            for table in tables.all()
            for row in table
            if table not in (tables.visits, tables.bundles)  # the clinical record is kept as it was
        ]
        texts = [f"{row!r}{getattr(row, 'abha_address', '')}{getattr(row, 'business_key', '')}" for row in rows]
        assert rows
        assert not [text for text in texts if str(ADDRESS) in text]
        documents = str(house.documents.responses()) + str(await house.documents.patient_contexts(HIP, PATIENT))
        assert str(ADDRESS) not in documents

    play(story)


def test_a_request_for_data_that_was_consented_to_is_refused_afterwards() -> None:
    async def story(house: House) -> None:
        await consented(house)
        await house.ask(an_artefact())
        await change(house, AccountStatus.DEACTIVATED)
        assert house.pusher.pages == []
        async with house.units() as uow:
            transfer = await uow.transfers.get(HIP, TransactionId("t-1"))
        assert transfer is not None
        assert (transfer.state, transfer.outcome, transfer.refusal) == (
            TransferState.DONE,
            TransferOutcome.FAILED,
            "ABDM-1062",
        )
        [status] = accounts(house)["t-1"].statuses
        assert (status.care_context_reference, status.hi_status) == ("88120", "ERRORED")

    play(story)


def test_ret_01_a_consent_that_goes_with_the_account_leaves_nothing_behind_that_a_revoked_one_would_not() -> None:
    """The raw callback keeps no artefact, the end is a decision of its own, and what waits under it is due at once."""

    async def story(house: House) -> None:
        await consented(house)
        artefact, callback_id = an_artefact(), CallbackId("the-grant")
        async with house.units() as uow:
            await uow.callbacks.add(a_callback(id=callback_id, sealed_body=b"the artefact"))
            await uow.callbacks.about(HIP, callback_id, artefact.consent_id)
            await uow.commit()
        house.pusher.errors = [Transient("no answer", retry_after=timedelta(minutes=9))] * 3
        await house.ask(artefact)
        await house.work()
        assert (await transfer_of(house)).state is TransferState.PUSHING
        await change(house, AccountStatus.DEACTIVATED)
        transfer = await transfer_of(house)
        assert (transfer.state, transfer.outcome) == (TransferState.DONE, TransferOutcome.FAILED)
        async with house.units() as uow:
            callback = await uow.callbacks.get(HIP, callback_id)
        assert callback is not None
        assert callback.sealed_body is None
        assert len([one for one in await decisions(house) if one.stage is Stage.ENDED]) == 1
        assert len(await audited(house, "consent-revoked")) == 1

    play(story)


def test_a_replayed_grant_or_token_brings_nothing_back() -> None:
    async def story(house: House) -> None:
        await consented(house)
        await change(house, AccountStatus.DEACTIVATED)
        await house.grant(an_artefact())
        with pytest.raises(Exception, match="ABHA address"):
            await house.answer_token()
        async with house.units() as uow:
            consent = await uow.consents.get(HIP, an_artefact().consent_id)
            assert await uow.link_tokens.current(HIP, ADDRESS, now=house.clock()) is None
        assert consent is not None
        assert consent.artefact is None

    play(story)


def test_the_next_visit_does_not_bring_the_account_back_nor_make_the_telephone_ring() -> None:
    async def story(house: House) -> None:
        await house.link()
        await change(house, AccountStatus.DEACTIVATED)
        asked = len(house.gateway.calls)
        await house.take_in(a_visit(visit_code=VisitCode("88200")))
        await house.take_in(a_visit(visit_code=VisitCode("88201"), patient=replace(MEERA, abha_address=None)))
        await house.work()
        assert len(house.gateway.calls) == asked
        assert (await patient_of(house)).abha_address is None

    play(story)


def test_a_visit_that_waited_for_its_link_is_never_linked() -> None:
    async def story(house: House) -> None:
        await house.take_in()
        await house.work()
        await change(house, AccountStatus.DEACTIVATED)
        async with house.units() as uow:
            request = await uow.link_requests.lock_by_visit(HIP, CODE)
        assert request is not None
        assert (request.status, request.code, request.abha_address) == (LinkStatus.REFUSED, "ABDM-1407", None)
        await house.link_visit(HIP, CODE)
        assert house.gateway.of(Flow.LINK_CARE_CONTEXT) == []

    play(story)


def test_another_account_of_the_same_patient_is_learnt() -> None:
    async def story(house: House) -> None:
        await house.link()
        await change(house, AccountStatus.DELETED)
        fresh = AbhaAddress("meera.new@sbx")
        await house.take_in(a_visit(visit_code=VisitCode("88200"), patient=replace(MEERA, abha_address=fresh)))
        patient = await patient_of(house)
        assert (patient.abha_address, patient.closed_account) == (fresh, None)

    play(story)


def test_after_it_was_reopened_the_next_visit_is_linked_again() -> None:
    async def story(house: House) -> None:
        await house.link()
        await change(house, AccountStatus.DEACTIVATED)
        await change(house, AccountStatus.REACTIVATED)
        assert (await patient_of(house)).closed_account is None
        await house.take_in(a_visit(visit_code=VisitCode("88200")))
        await house.work()
        assert len(house.gateway.of(Flow.GENERATE_TOKEN)) == 2

    play(story)


def test_a_patient_who_links_by_otp_has_opened_it_again() -> None:
    async def story(house: House) -> None:
        app = PatientApp(house)
        await house.link()
        await change(house, AccountStatus.DELETED)
        await app.discover()
        await app.choose()
        await app.type(app.otp)
        patient = await patient_of(house)
        assert (patient.abha_address, patient.closed_account) == (ADDRESS, None)

    play(story)


def test_an_otp_on_its_way_dies_with_the_account() -> None:
    async def story(house: House) -> None:
        app = PatientApp(house)
        await app.visit()
        await app.discover()
        await app.choose()
        await change(house, AccountStatus.DELETED)
        answer = await app.type(app.otp)
        assert answer.error is not None
        assert not await app.linked()

    play(story)


def test_nobody_elses_rows_are_touched_and_repeats_change_nothing() -> None:
    async def story(house: House) -> None:
        await consented(house)
        await change(house, AccountStatus.DELETED, AbhaAddress("somebody.else@sbx"))
        assert (await patient_of(house)).abha_address == ADDRESS
        await change(house, AccountStatus.DELETED)
        once = await patient_of(house)
        await change(house, AccountStatus.DELETED)
        assert await patient_of(house) == once

    play(story)


def test_the_audit_says_what_went_and_not_whose() -> None:
    async def story(house: House) -> None:
        await consented(house)
        await change(house, AccountStatus.DELETED)
        async with house.units() as uow:
            [entry] = [e for e in await uow.audit.list(Listing()) if e.action == "abha-account-changed"]
        assert entry.detail == (("status", "DELETED"), ("patients", "1"), ("links", "1"), ("consents", "1"))
        assert str(ADDRESS) not in repr(entry)

    play(story)


@pytest.mark.parametrize("answered", [True, False])
def test_ret_02_an_account_that_is_opened_again_has_its_old_visits_linked_by_a_new_call_only(answered: bool) -> None:
    async def story(house: House) -> None:
        await house.link()
        await change(house, AccountStatus.DEACTIVATED)
        if not answered:
            await house.answer_link()  # the old call's callback, repeated
        await change(house, AccountStatus.REACTIVATED)
        await house.take_in(a_visit(patient=replace(MEERA, phone="9876543211")))
        await house.work()
        await house.answer_token()
        await house.work()
        assert len(house.gateway.of(Flow.LINK_CARE_CONTEXT)) == 2
        assert await linked_to(house) is None, "not before the gateway has said so"
        await house.answer_link()
        assert await linked_to(house) == ADDRESS

    play(story)


async def linked_to(house: House) -> AbhaAddress | None:
    async with house.units() as uow:
        context = await uow.care_contexts.get(HIP, CareContextReference(CODE))
    assert context is not None
    return context.linked_to


def test_a_closed_account_is_acknowledged_once_where_an_operator_wants_it_and_a_reopened_one_never() -> None:
    async def story(house: House) -> None:
        await consented(house)
        await change(house, AccountStatus.DEACTIVATED)
        assert house.gateway.of(Flow.ON_DEACTIVATE) == []
        house.change_account = replace(house.change_account, conversations=house.conversations)
        await change(house, AccountStatus.DEACTIVATED)
        await change(house, AccountStatus.DEACTIVATED)
        await change(house, AccountStatus.REACTIVATED)
        assert [call.answers for call in house.gateway.of(Flow.ON_DEACTIVATE)] == ["the-notice"]

    play(story)


def test_an_acknowledgement_that_the_gateway_cannot_take_is_given_again_after_everything_went() -> None:
    async def story(house: House) -> None:
        await consented(house)
        house.change_account = replace(house.change_account, conversations=house.conversations)
        house.gateway.refusals[Flow.ON_DEACTIVATE] = [Transient("503", code="503")]
        with pytest.raises(Transient):
            await change(house, AccountStatus.DELETED)
        assert (await patient_of(house)).abha_address is None
        await change(house, AccountStatus.DELETED)
        assert len(house.gateway.of(Flow.ON_DEACTIVATE)) == 2

    play(story)

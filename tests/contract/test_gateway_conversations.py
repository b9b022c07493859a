"""Whole conversations: what we say to the sandbox, and its callbacks proven and read by our own adapters."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.contract.gateways import Network, fresh_id, now, sandbox
from tests.unit.gateway import calls

from hip.adapters.gateway.verification import CallbackAuth, JwksVerifier
from hip.adapters.push.addresses import AddressRules
from hip.adapters.push.client import HttpPusher, PushSettings
from hip.adapters.sealing.sealer import CryptographySealer
from hip.application.gateway_calls import (
    ConsentOnNotify,
    GatewayError,
    HealthInformationNotify,
    HealthInformationOnRequest,
    OnDeactivate,
    OnDiscover,
)
from hip.application.gateway_events import (
    AccountChanged,
    ConsentNotified,
    DiscoveryAsked,
    HealthInformationAsked,
    LinkAnswered,
    NotifyAnswered,
    TokenAnswered,
)
from hip.application.ports import PushedPage
from hip.domain.accounts import AccountStatus
from hip.domain.consents import ConsentStatus
from hip.domain.errors import GatewayRefused, Transient
from hip.domain.hi_types import HiType
from hip.domain.identifiers import RequestId
from hip.domain.pages import ContextStatus, HiStatus
from hip.domain.patients import IdentifierType
from hip.domain.transfers import TransferOutcome
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def keys() -> GatewayKeys:
    return GatewayKeys.generate()


@pytest.fixture
async def network(keys: GatewayKeys) -> AsyncIterator[Network]:
    async with sandbox(keys) as running:
        yield running


async def link_token(network: Network) -> str:
    request_id = fresh_id()
    assert await network.line.say(calls.GENERATE_TOKEN, request_id) == 202
    _, event = await network.hip.next(TokenAnswered)
    assert event.answers == request_id
    assert event.token is not None
    return event.token


async def link(network: Network) -> None:
    request_id = fresh_id()
    await network.line.say(replace(calls.LINK, link_token=await link_token(network)), request_id)
    _, event = await network.hip.next(LinkAnswered)
    assert (event.answers, event.error) == (request_id, None)


async def test_a_link_a_notice_and_a_text_message_are_answered_by_callback(network: Network) -> None:
    await link(network)
    for call in (replace(calls.CONTEXT_NOTIFY, hi_types=(HiType.INVOICE,)), calls.SMS_NOTIFY):
        await asyncio.sleep(0.01)  # a notice in the first (scaled) seconds after a link errs
        request_id = fresh_id()
        await network.line.say(call, request_id)
        _, event = await network.hip.next(NotifyAnswered)
        assert (event.answers, event.error) == (request_id, None)


async def test_a_mismatch_comes_back_as_an_error_with_its_code(network: Network) -> None:
    await network.line.say(replace(calls.GENERATE_TOKEN, name="Somebody Else"))
    _, event = await network.hip.next(TokenAnswered)
    assert event.token is None
    assert event.error is not None
    assert event.error.code == "ABDM-1207"


async def test_a_link_made_twice_is_answered_as_done_already(network: Network) -> None:
    token = await link_token(network)
    for _ in range(2):
        await network.line.say(replace(calls.LINK, link_token=token))
        _, event = await network.hip.next(LinkAnswered)
    assert event.error is not None
    assert event.error.code == "ABDM-1056"


async def test_an_unknown_context_cannot_be_notified(network: Network) -> None:
    await network.line.say(calls.CONTEXT_NOTIFY)
    _, event = await network.hip.next(NotifyAnswered)
    assert event.error is not None
    assert event.error.code == "ABDM-1006"


async def test_a_closed_account_is_told_and_its_acknowledgement_taken_once(network: Network) -> None:
    await link(network)
    await network.control.change_account(str(calls.MEERA), "DEACTIVATED")
    notice, event = await network.hip.next(AccountChanged)
    assert event == AccountChanged(abha_address=calls.MEERA, status=AccountStatus.DEACTIVATED)
    assert await network.line.say(OnDeactivate(answers=notice)) == 202
    with pytest.raises(GatewayRefused):
        await network.line.say(OnDeactivate(answers=RequestId(fresh_id())))


@pytest.mark.parametrize("scenario", [None, "null-unverified", "null-request-ids"])
async def test_a_patients_search_is_read_and_answered(network: Network, scenario: str | None) -> None:
    if scenario is not None:
        await network.control.scenario(scenario)

    async def answer() -> None:
        asked_as, event = await network.hip.next(DiscoveryAsked)
        assert event.query.abha_address == calls.MEERA
        assert event.query.verified.mobiles == {"9876543210"}
        await network.line.say(
            OnDiscover(
                transaction_id=event.query.transaction_id,
                answers=asked_as,
                entries=(calls.entry(HiType.PRESCRIPTION),),
                matched_by=(IdentifierType.MOBILE,),
            )
        )

    answering = asyncio.create_task(answer())
    found = await network.control.discover(str(calls.MEERA), calls.HIP)
    await answering
    assert (found.status, found.references()) == ("found", ["visit-88120"])


async def test_a_search_without_a_match_is_answered_with_the_error(network: Network) -> None:
    async def answer() -> None:
        asked_as, event = await network.hip.next(DiscoveryAsked)
        error = GatewayError(code="ABDM-1010", message="Patient not found")
        await network.line.say(OnDiscover(transaction_id=event.query.transaction_id, answers=asked_as, error=error))

    answering = asyncio.create_task(answer())
    found = await network.control.discover(str(calls.MEERA), calls.HIP)
    await answering
    assert found.problem is not None
    assert found.problem.code == "ABDM-1010"


@pytest.mark.parametrize(
    "scenario", [None, "artefact-without-hiu", "zoneless-timestamps", "array-date-range", "bare-revocation"]
)
async def test_a_consent_is_taken_data_pushed_accounted_for_and_the_revocation_heard(
    network: Network, scenario: str | None
) -> None:
    await link(network)
    if scenario is not None:
        await network.control.scenario(scenario)
    pusher = HttpPusher(
        PushSettings(rules=AddressRules(trusted_hosts=frozenset({"hiu.sandbox"}))), transport=network.transport
    )
    bundle = json.dumps({"resourceType": "Bundle", "type": "document", "entry": []}).encode()

    async def serve() -> None:
        noticed_as, granted = await network.hip.next(ConsentNotified)
        assert (granted.status, granted.signed) == (ConsentStatus.GRANTED, True)
        artefact = granted.artefact
        assert artefact is not None
        assert artefact.hip_id == calls.HIP
        assert (artefact.hiu_id is None) == (scenario == "artefact-without-hiu")
        assert artefact.hi_types == {HiType.OP_CONSULTATION, HiType.PRESCRIPTION}
        await network.line.say(ConsentOnNotify(consent_id=granted.consent_id, answers=noticed_as))

        asked_as, asked = await network.hip.next(HealthInformationAsked)
        assert asked.consent_id == granted.consent_id
        assert asked.request.date_range.within(artefact.date_range)
        assert artefact.date_range.end < artefact.data_erase_at
        await network.line.say(HealthInformationOnRequest(transaction_id=asked.transaction_id, answers=asked_as))
        contexts = artefact.care_contexts
        for number, context in enumerate(contexts, start=1):
            sealed = CryptographySealer().seal(
                [bundle], peer=asked.request.key_material, expires_at=now() + timedelta(hours=1)
            )
            page = PushedPage(
                transaction_id=asked.transaction_id,
                number=number,
                page_count=len(contexts),
                references=(context.care_context_reference,),
                checksums=("0" * 32,),
                sealed=sealed,
            )
            while True:
                try:
                    status = await pusher.push(page, url=asked.request.data_push_url, hiu_id=None)
                except Transient as failure:
                    if failure.code not in {"400", "404"}:  # the requester may not know the transaction yet
                        raise
                    await asyncio.sleep(0.02)
                else:
                    assert 200 <= status < 300
                    break
        await network.line.say(
            HealthInformationNotify(
                consent_id=asked.consent_id,
                transaction_id=asked.transaction_id,
                done_at=now(),
                outcome=TransferOutcome.TRANSFERRED,
                statuses=tuple(
                    ContextStatus(
                        care_context_reference=context.care_context_reference,
                        hi_status=HiStatus.DELIVERED,
                        description="1 bundle sent",
                    )
                    for context in contexts
                ),
            )
        )

    serving = asyncio.create_task(serve())
    case = await network.control.consented(str(calls.MEERA), ["OPConsultation", "Prescription"])
    await serving
    transfer = await network.control.wait_for_pages(case.transfers[0])
    assert transfer.transaction_id is not None
    assert not transfer.authorization_seen
    notify = await network.control.wait_for_notify(transfer.transaction_id)
    assert (notify.session_status, notify.outcomes) == ("TRANSFERRED", {"visit-88120": "DELIVERED"})
    records = await network.control.opened_records(transfer.transaction_id)
    assert {record.content for record in records} == {bundle}

    await network.control.revoke(case.artefacts[0])
    noticed_as, ended = await network.hip.next(ConsentNotified)
    assert (ended.status, ended.artefact) == (ConsentStatus.REVOKED, None)
    await network.line.say(ConsentOnNotify(consent_id=ended.consent_id, answers=noticed_as))
    assert (await network.control.wait_for_acknowledgement(ended.consent_id, "REVOKED")).hip_acknowledged == "OK"


async def test_callbacks_signed_with_a_key_of_yesterday_are_refused_and_with_a_new_one_read(network: Network) -> None:
    await network.line.say(calls.SMS_NOTIFY)
    await network.hip.next(NotifyAnswered)
    await network.control.rotate_keys()
    # Within a minute of the first fetch an unknown key does not make us ask again: the callback is refused.
    await network.line.say(calls.SMS_NOTIFY)
    async with asyncio.timeout(10), network.hip.arrived:
        await network.hip.arrived.wait_for(lambda: bool(network.hip.problems))
    network.hip.problems.clear()
    network.hip.auth = CallbackAuth(verifier=JwksVerifier(network.line.gateway.jwks, now))
    await network.line.say(calls.SMS_NOTIFY)
    await network.hip.next(NotifyAnswered)

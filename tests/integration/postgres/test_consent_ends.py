"""RET-01, REL-21, REL-23 on real servers: a consent ends, whoever ends it, while a request waits under it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House, Stores, an_artefact
from tests.builders.patient_apps import ADDRESS
from tests.builders.releases import accounts, answers, consent_of, decisions, transfer_of

from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.postgres.units import PostgresDatabase
from hip.application.gateway_events import AccountChanged
from hip.domain.accounts import AccountStatus
from hip.domain.consents import ConsentStatus
from hip.domain.decisions import Stage
from hip.domain.transfers import TransferOutcome, TransferState

pytestmark = pytest.mark.anyio


async def by_notice(house: House) -> None:
    await house.end_consent(an_artefact().consent_id)


async def by_the_clock(house: House) -> None:
    house.clock.advance(timedelta(days=31))
    assert await house.sweep_consents() == 1


async def by_closing_the_account(house: House) -> None:
    event = AccountChanged(abha_address=ADDRESS, status=AccountStatus.DELETED)
    await house.change_account(house.delivery("the-notice"), event)


@pytest.mark.parametrize("end", [by_notice, by_the_clock, by_closing_the_account])
async def test_rel_23_a_request_that_waits_when_its_consent_ends_is_accounted_for_by_care_context(
    end: Callable[[House], Awaitable[None]], database: PostgresDatabase, mongo: MongoDocuments
) -> None:
    house = House(stores=Stores(database.unit, mongo))
    await house.link()
    await house.grant(an_artefact())
    await house.ask(an_artefact())
    await end(house)
    consent = await consent_of(house)
    assert (consent.status is ConsentStatus.GRANTED, consent.artefact) == (False, None)
    await house.work()
    transfer = await transfer_of(house)
    assert (transfer.state, transfer.outcome) == (TransferState.DONE, TransferOutcome.FAILED)
    assert answers(house) in (["ABDM-1061"], ["ABDM-1062"])
    [status] = accounts(house)["t-1"].statuses
    assert (status.care_context_reference, status.hi_status) == ("88120", "ERRORED")
    assert house.pusher.pages == []
    assert [one.consent_id for one in await decisions(house) if one.stage is Stage.ENDED] == [consent.consent_id]
    async with house.units() as uow:
        assert await uow.transfers.open_of_consent(HIP, consent.consent_id) == []

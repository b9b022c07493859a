"""What the desk is shown of a patient's token and link: state, expiry in UTC, code, what to do, and who has to."""

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.builders.flows import HIP, House
from tests.builders.visits import MEERA, a_visit

from hip.application.storage import Listing
from hip.domain.exchanges import Flow
from hip.domain.identifiers import PatientReference, VisitCode
from hip.domain.patients import Patient
from hip.entrypoints.stored_records import LINKS

EXPIRY = (datetime.now(UTC) + timedelta(days=90)).replace(microsecond=0)


def _jwt() -> str:
    body = base64.urlsafe_b64encode(json.dumps({"exp": int(EXPIRY.timestamp())}).encode()).decode().rstrip("=")
    return f"canary.{body}.c2ln"


async def _house() -> House:
    house = House()
    house.clock.now = datetime.now(UTC)
    await house.take_in()
    await house.work()
    return house


async def _shown(house: House, code: str = "88120") -> dict[str, Any]:
    async with house.units() as uow:
        one = await LINKS.show(uow, HIP, code)
        rows = await LINKS.list(uow, Listing(hip_id=HIP))
    assert one is not None
    assert one in rows, "the list tells the same"
    return one


def test_the_token_of_a_patient_is_awaited_then_valid_until_its_own_expiry_and_never_shown_itself():
    async def story() -> None:
        house = await _house()
        waiting = await _shown(house)
        assert (waiting["tokenState"], waiting["tokenExpiresAt"]) == ("awaited", None)
        await house.answer_token(token=_jwt())
        await house.work()
        sent = await _shown(house)
        assert (sent["status"], sent["tokenState"]) == ("requested", "valid")
        assert sent["tokenExpiresAt"] == EXPIRY.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert "canary" not in str(sent)
        async with house.units() as uow:
            assert MEERA.abha_address is not None
            await uow.link_tokens.drop(HIP, MEERA.abha_address)
            await uow.commit()
        assert (await _shown(house))["tokenState"] == "none"

    asyncio.run(story())


def test_a_refused_token_comes_with_its_code_what_to_do_and_who_has_to():
    async def story() -> None:
        house = await _house()
        await house.answer_token(token=None, code="ABDM-1207")
        shown = await _shown(house)
        assert (shown["tokenState"], shown["code"], shown["whoActs"]) == ("refused", "ABDM-1207", "desk")
        assert "correct it at the desk" in shown["advice"]

    asyncio.run(story())


def test_a_patient_without_an_abha_address_needs_no_token():
    async def story() -> None:
        house = await _house()
        record = a_visit(visit_code=VisitCode("88200"), patient=_without_abha())
        await house.take_in(record)
        await house.work()
        assert house.gateway.of(Flow.SMS_NOTIFY)
        assert (await _shown(house, "88200"))["tokenState"] == "not-needed"

    asyncio.run(story())


def _without_abha() -> Patient:
    return replace(MEERA, reference=PatientReference("PAT-2"), abha_address=None, abha_number=None)

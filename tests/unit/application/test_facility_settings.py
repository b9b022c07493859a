"""Each facility of a deployment has its own name in messages, its own contact, and its own say about discovery."""

import asyncio
from dataclasses import replace

from tests.builders.flows import House
from tests.builders.links import OTHER_HIP
from tests.builders.patient_apps import SURESH, PatientApp
from tests.builders.visits import CLINIC, a_visit

from hip.application.gateway_calls import OnDiscover, SmsNotify
from hip.domain.exchanges import Flow
from hip.domain.facilities import Facility


def house_of(**settings: object) -> House:
    """The clinic with these settings, beside a facility that has none."""
    other = Facility(hip_id=OTHER_HIP, name="Other Hospital", display_name="OTHER", sms_contact="1800000000")
    return House(facilities=(other, replace(CLINIC, **settings)))  # type: ignore[arg-type]


def answers(house: House) -> list[str]:
    said = [call for call in house.gateway.of(Flow.ON_DISCOVER) if isinstance(call, OnDiscover)]
    return [call.error.message if call.error else "found" for call in said]


def test_messages_to_patients_bear_the_facilitys_own_name_and_contact() -> None:
    async def story() -> None:
        house = house_of(display_name="Demo Clinic Satara", sms_contact="02162 111111")
        app = PatientApp(house)
        await app.visit()
        [sms] = house.gateway.of(Flow.SMS_NOTIFY)
        assert isinstance(sms, SmsNotify)
        assert sms.facility_name == "Demo Clinic Satara"
        await app.discover()
        await app.choose()
        [message] = house.otp_sender.sent
        assert message.facility_name == "Demo Clinic Satara"
        assert message.text.endswith("Not you? Call 02162 111111.")
        assert "OTHER" not in message.text

    asyncio.run(story())


def test_without_settings_of_its_own_a_facility_goes_by_its_registered_name() -> None:
    async def story() -> None:
        house = house_of()
        app = PatientApp(house)
        await app.visit()
        await app.discover()
        await app.choose()
        [message] = house.otp_sender.sent
        assert message.facility_name == CLINIC.name
        assert "Call" not in message.text

    asyncio.run(story())


def test_a_facility_may_let_no_app_find_its_patients() -> None:
    async def story() -> None:
        house = house_of(discovery=False)
        app = PatientApp(house)
        await house.take_in(a_visit(patient=SURESH))
        await house.work()
        await app.discover()
        assert answers(house) == ["Patient not found"]

    asyncio.run(story())


def test_disc_02_a_facility_may_have_its_own_limit() -> None:
    async def story() -> None:
        house = house_of(discovery_per_hour=2)
        app = PatientApp(house)
        await app.visit()
        for number in range(3):
            await app.discover(transaction=f"search-{number}")
        assert answers(house) == ["found", "found", "Too many requests"]

    asyncio.run(story())

"""What becomes of an OTP on its way to the telephone (OTP-01)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, House
from tests.builders.patient_apps import PatientApp, code, play

from hip.application.ports import OtpMessage
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, PatientReference


def test_otp_01_a_number_gets_five_otps_in_an_hour() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        for number in range(6):
            await app.discover(transaction=f"discovery-{number}")
            assert code(await app.choose()) == ("ABDM-1022" if number == 5 else None)
        assert len(house.otp_sender.sent) == 5
        house.clock.advance(timedelta(hours=1, seconds=1))
        await app.discover(transaction="discovery-later")
        assert code(await app.choose()) is None

    play(story)


def test_otp_01_a_number_gets_ten_otps_in_a_day_whoever_asks() -> None:
    """Five each hour would be six hundred tries a day."""

    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        for number in range(12):
            house.clock.advance(timedelta(minutes=30))
            address = AbhaAddress(f"asker{number}@sbx")
            await app.discover(address=address, transaction=f"discovery-{number}")
            assert code(await app.choose(address=address)) == ("ABDM-1022" if number >= 10 else None)
        assert len(house.otp_sender.sent) == 10
        house.clock.advance(timedelta(hours=20))
        await app.discover(transaction="discovery-the-next-day")
        assert code(await app.choose()) is None

    play(story)


def test_an_otp_that_cannot_be_sent_is_said_to_be_so() -> None:
    async def story(house: House, app: PatientApp) -> None:
        house.otp_sender.failing = 1
        await app.visit()
        await app.discover()
        assert code(await app.choose()) == "ABDM-1004"
        assert code(await app.choose()) is None, "the patient asks again and gets one"

    play(story)


class SendsAndBreaks:
    """Hands the message over, and then the store is gone."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def send(self, message: OtpMessage) -> None:
        await self.house.otp_sender.send(message)
        self.house.database.down = True


def test_an_otp_whose_fate_a_crash_hid_is_never_sent_again_by_itself() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        whole = house.answer_link_init
        house.answer_link_init = replace(whole, otp_sender=SendsAndBreaks(house))
        with pytest.raises(StorageFailed):
            await app.choose(request_id="the-same")
        house.database.down, house.answer_link_init = False, whole
        assert code(await app.choose(request_id="the-same")) == "ABDM-1004"
        assert len(house.otp_sender.sent) == 1

    play(story)


def test_a_patient_without_a_number_cannot_link_by_otp() -> None:
    async def story(house: House, app: PatientApp) -> None:
        await app.visit()
        await app.discover()
        async with house.units() as uow:
            known = await uow.patients.get(HIP, PatientReference("PAT-20417"))
            assert known is not None
            await uow.patients.save(replace(known, phone=None), hip_id=HIP)
            await uow.commit()
        assert code(await app.choose()) == "ABDM-1004"

    play(story)

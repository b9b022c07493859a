"""An OTP handed to an SMS provider: once, as the provider wants it, and shown to nobody else."""

import json
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from hip.adapters.otp_sender import HttpOtpSender, NoOtpSender, OtpSettings
from hip.application.ports import OtpMessage
from hip.domain.errors import OtpNotSent
from hip.domain.identifiers import HipId

pytestmark = pytest.mark.anyio
MESSAGE = OtpMessage(
    hip_id=HipId("IN0410000123"),
    facility_name="The {otp} Clinic",
    phone="9876543210",
    otp="482913",
    text='482913 is your OTP for "us"',
)


class Provider:
    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(202)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def send(provider: Provider, **settings: Any) -> None:
    sender = HttpOtpSender(
        OtpSettings(url="https://sms.example/v1/send", **settings), transport=httpx.MockTransport(provider)
    )
    try:
        await sender.send(MESSAGE)
    finally:
        await sender.aclose()


async def test_by_default_number_and_text_go_as_json() -> None:
    provider = Provider()
    await send(provider)
    [request] = provider.asked
    assert (request.method, str(request.url)) == ("POST", "https://sms.example/v1/send")
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {"mobile": "9876543210", "text": '482913 is your OTP for "us"'}


async def test_a_body_is_filled_in_as_deep_as_it_goes_and_once() -> None:
    provider = Provider()
    body = {"to": ["+91{phone}"], "vars": {"code": "{otp}", "at": "{facility}", "hip": "{hip}"}, "flash": False, "n": 1}
    await send(provider, body=body, headers={"Authorization": "key canary"})
    [request] = provider.asked
    assert json.loads(request.content) == {
        "to": ["+919876543210"],
        "vars": {"code": "482913", "at": "The {otp} Clinic", "hip": "IN0410000123"},
        "flash": False,
        "n": 1,
    }
    assert request.headers["authorization"] == "key canary"


async def test_a_form_goes_as_a_form() -> None:
    provider = Provider()
    await send(provider, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert parse_qs(provider.asked[0].content.decode())["mobile"] == ["9876543210"]


async def test_the_number_is_never_in_the_url() -> None:
    provider = Provider()
    await send(provider)
    assert "9876543210" not in str(provider.asked[0].url)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, text="canary 9876543210"),
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://elsewhere.example/"}),
        httpx.ConnectError("canary"),
        httpx.ReadTimeout("canary"),
    ],
    ids=str,
)
async def test_whatever_is_not_taken_is_said_once_and_without_detail(answer: httpx.Response | Exception) -> None:
    provider = Provider(answer)
    with pytest.raises(OtpNotSent) as failure:
        await send(provider)
    assert failure.value.code == "ABDM-1004"
    assert len(provider.asked) == 1
    assert not {"canary", "9876543210", "482913"} & set(str(failure.value).split())
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None or failure.value.__suppress_context__


async def test_without_a_provider_nothing_is_sent() -> None:
    sender = NoOtpSender()
    with pytest.raises(OtpNotSent, match="HIP_OTP_URL"):
        await sender.send(MESSAGE)
    await sender.aclose()


def test_no_repr_shows_number_otp_or_key() -> None:
    shown = repr(MESSAGE) + repr(OtpSettings(url="https://sms.example/canary", headers={"k": "canary"}))
    assert not any(secret in shown for secret in ("9876543210", "482913", "canary"))

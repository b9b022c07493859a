"""OTPs handed to an SMS provider over HTTP (OTP-01): any that takes a POST of JSON or of a form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from hip.application.ports import OtpMessage
from hip.domain.errors import OtpNotSent

FORM = "application/x-www-form-urlencoded"
PLACES = ("{phone}", "{otp}", "{text}", "{facility}", "{hip}")
"""What a body may hold; number and OTP are never part of a URL, for URLs are logged on the way."""

DEFAULT_BODY: Mapping[str, Any] = {"mobile": "{phone}", "text": "{text}"}
"""What the sandbox's telephone takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtpSettings:
    """``body`` is JSON whose texts may hold ``PLACES``; a Content-Type of a form in ``headers`` sends it as one."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Mapping[str, Any] = field(default_factory=lambda: DEFAULT_BODY)
    timeout: timedelta = timedelta(seconds=10)


class HttpOtpSender:
    """The ``OtpSender`` port over HTTP. Any 2xx is a message taken; nothing is tried twice, redirects included."""

    def __init__(self, settings: OtpSettings, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=settings.timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, message: OtpMessage) -> None:
        """Raises OtpNotSent, naming the kind of failure and nothing of the message or of the provider's answer."""
        body = _filled(self._settings.body, _values(message))
        headers = {name.lower(): value for name, value in self._settings.headers.items()}
        kind = headers.setdefault("content-type", "application/json")
        content = {"data": body} if kind.startswith(FORM) else {"content": msgspec.json.encode(body)}
        try:
            response = await self._http.post(self._settings.url, headers=headers, **content)
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            raise OtpNotSent(f"the SMS provider did not answer: {type(failure).__name__}") from None
        if not response.is_success:
            raise OtpNotSent(f"the SMS provider answered HTTP {response.status_code}")

    async def aclose(self) -> None:
        """Let the connections go."""
        await self._http.aclose()


class NoOtpSender:
    """No provider is set: every patient is told that the OTP could not be sent."""

    async def send(self, message: OtpMessage) -> None:  # noqa: ARG002 - the port's
        """Raises OtpNotSent."""
        raise OtpNotSent("no SMS provider is set: HIP_OTP_URL")

    async def aclose(self) -> None:
        """Nothing is open."""


def _values(message: OtpMessage) -> Mapping[str, str]:
    values = (message.phone, message.otp, message.text, message.facility_name, message.hip_id)
    return dict(zip(PLACES, values, strict=True))


def _filled(template: Any, values: Mapping[str, str]) -> Any:
    """``template`` with its texts filled in. A facility's name that looks like a place is not filled again."""
    if isinstance(template, Mapping):
        return {name: _filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    parts: list[str] = []
    rest = template
    while rest:
        place, at = min(((p, rest.find(p)) for p in values if p in rest), key=lambda found: found[1], default=("", -1))
        if not place:
            return "".join([*parts, rest])
        parts += [rest[:at], values[place]]
        rest = rest[at + len(place) :]
    return "".join(parts)

"""generate-token: the demographic check that earns a link token (contract §2.1)."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hip.entrypoints.sandbox.gateway.callbacks import Callback
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.entries import ABHA_ADDRESS
from hip.entrypoints.sandbox.gateway.keys import LINK_TOKEN_LIFE, GatewayKeys
from hip.entrypoints.sandbox.gateway.refusals import bad
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.moments import Now
from hip.entrypoints.sandbox.parties import Patient

PATH = "/v3/token/generate-token"
CALLBACK = "/api/v3/hip/token/on-generate-token"
MOST_A_DAY = 3
DAY = timedelta(hours=24)


class TokenBody(msgspec.Struct, rename="camel"):
    """``abhaNumber``: 14 digits as text or number. ``yearOfBirth``: a number, text is tolerated."""

    name: str
    gender: str
    year_of_birth: int | str
    abha_address: str | None = None
    abha_number: int | str | None = None


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a link token is bound to."""

    hip_id: str
    abha_address: str
    abha_number: str | None
    expires_at: datetime


@dataclass(slots=True)
class LinkTokens:
    """Issues link tokens. ``duplicate_window`` is 70 s of the real network, already scaled."""

    registry: Registry
    keys: GatewayKeys
    scenarios: Scenarios
    now: Now
    duplicate_window: timedelta
    _issued: dict[str, TokenFacts] = field(default_factory=dict, repr=False)
    _last: dict[tuple[str, str], datetime] = field(default_factory=dict)
    _counted: dict[tuple[str, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))

    def routes(self) -> Routes:
        """The endpoint."""
        return {("POST", PATH): Endpoint(handle=self.generate, facility=True)}

    def facts(self, token: str) -> TokenFacts:
        """What ``token`` is bound to. Raises Refusal ABDM-1066 when it is no JWT, ABDM-1026 when unknown or expired."""
        if token.count(".") != 2:
            raise bad("ABDM-1066", "Invalid JWT token")
        facts = self._issued.get(token)
        if facts is None or facts.expires_at <= self.now():
            raise bad("ABDM-1026", "Invalid link token")
        return facts

    async def generate(self, call: Call) -> Reply:
        """202 and a callback with the token or the reason; 400 at once: bad form, duplicate, unknown user."""
        body = call.body(TokenBody)
        _check_form(body)
        identity = (body.abha_address or str(body.abha_number)).casefold()
        self._refuse_duplicate((call.hip_id, identity))
        patient = self.registry.patient(body.abha_address) or self.registry.patient_by_number(body.abha_number)
        if patient is None:
            raise bad("ABDM-9999", "User not found")
        answer = self._decide(call.hip_id, patient, body)
        then = Callback(
            service_id=call.hip_id, path=CALLBACK, body={**answer, "response": {"requestId": call.request_id}}
        )
        return Reply(202, then=then)

    def _refuse_duplicate(self, name: tuple[str, str]) -> None:
        now, last = self.now(), self._last.get(name)
        repeated = last is not None and now - last < self.duplicate_window
        if repeated or self.scenarios.strikes("duplicate-token-request", PATH):
            raise bad("ABDM-1092", "Duplicate link token request")
        # Remembered before anything is checked: a refused request blocks its repetition as well.
        self._last[name] = now

    def _decide(self, hip_id: str, patient: Patient, body: TokenBody) -> dict[str, Any]:
        now = self.now()
        counted = self._counted[hip_id, patient.abha_address.casefold()]
        counted[:] = [at for at in counted if now - at < DAY]
        if len(counted) >= MOST_A_DAY or self.scenarios.strikes("token-blocked", PATH):
            return _error("ABDM-1027", "User is blocked, please try again after 24 hours")
        counted.append(now)
        if not patient.active:
            return _error("ABDM-1407", "ABHA is deactivated")
        if body.abha_number is not None and patient.abha_number != str(body.abha_number):
            return _error("ABDM-1051", "Invalid ABHA number or ABHA address")
        if not _same_person(patient, body):
            return _error("ABDM-1207", "Demographic details are invalid")
        number = str(body.abha_number) if body.abha_number is not None else None
        token = self.keys.link_token(hip_id=hip_id, abha_address=patient.abha_address, abha_number=number, at=now)
        self._issued[token] = TokenFacts(hip_id, patient.abha_address, number, now + LINK_TOKEN_LIFE)
        return {"abhaAddress": patient.abha_address, "linkToken": token}


def _check_form(body: TokenBody) -> None:
    if body.abha_address is None and body.abha_number is None:
        raise bad("ABDM-1125", "ABHA number and ABHA address are both null")
    if body.abha_address is not None and not ABHA_ADDRESS.fullmatch(body.abha_address):
        raise bad("ABDM-1170", "Invalid ABHA address")
    number = str(body.abha_number)
    if body.abha_number is not None and not (len(number) == 14 and number.isascii() and number.isdigit()):
        raise bad("ABDM-1013", "Invalid ABHA number")
    if body.gender not in ("M", "F", "O", "D", "T", "U"):
        raise bad("ABDM-1006", "Bad request, invalid body: gender")
    year = str(body.year_of_birth)
    if not (year.isascii() and year.isdigit() and 1900 <= int(year) <= 2200):
        raise bad("ABDM-1006", "Bad request, invalid body: yearOfBirth")


def _same_person(patient: Patient, body: TokenBody) -> bool:
    return (
        " ".join(body.name.split()).casefold() == " ".join(patient.name.split()).casefold()
        and body.gender == patient.gender
        and int(body.year_of_birth) == patient.year_of_birth
    )


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}

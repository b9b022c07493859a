"""The pieces of deliberate faults: what a call, a page or a store becomes (see ``service_faults``)."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
from dependency_injector.providers import Object
from tests.builders.faults import FaultyComposer, untitled_prescriptions
from tests.builders.service_faults import (
    Standing,
    both,
    instead,
    says,
)

from hip.adapters.push.addresses import AddressRules
from hip.adapters.push.client import HttpPusher, PushSettings
from hip.adapters.sealing.ephemeral import fresh_private_key
from hip.adapters.sealing.sealer import CryptographySealer
from hip.application import gateway_calls as m
from hip.domain.bundles import ValidationReport
from hip.domain.consents import ConsentStatus, DateRange
from hip.domain.key_material import SealedPage
from hip.domain.patients import IdentifierType
from hip.domain.transfers import TransferOutcome
from hip.entrypoints.certify.clocks import MovableClock
from hip.entrypoints.container import AnyAdapters

YEARS = timedelta(days=3650)


def with_code(call: Any, code: str) -> Any:
    return call if call.error is None else replace(call, error=replace(call.error, code=code))


def wider(artefact: Any) -> Any:
    span = artefact.date_range
    return replace(artefact, date_range=DateRange(start=span.start - YEARS, end=span.end + YEARS))


def clinical_labels(call: Any) -> Any:
    entries = tuple(
        replace(
            entry,
            care_contexts=tuple(replace(c, display="Paracetamol 500 mg tablet") for c in entry.care_contexts),
        )
        for entry in call.entries
    )
    return replace(call, entries=entries)


def checksums(page: Any) -> Any:
    return replace(page, checksums=tuple("0" * 32 for _ in page.checksums))


class SamePage:
    """Sends the first page's sealed content again in place of every later one."""

    def __init__(self) -> None:
        self.first: Any = None

    def __call__(self, page: Any) -> Any:
        self.first = self.first or page
        return replace(page, sealed=self.first.sealed, checksums=self.first.checksums)


def sealing(change: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    def make(real: Any) -> Any:
        def seal(plaintexts: Any, **about: Any) -> SealedPage:
            sealed: SealedPage = real.seal([change(content) for content in plaintexts], **about)
            return sealed

        return Standing(real, seal=seal)

    return make


def one_key(_real: Any) -> Any:
    kept = fresh_private_key()
    return CryptographySealer(generate=lambda: kept, nonce=lambda size: hashlib.sha256(b"always").digest()[:size])


def in_the_clear(real: Any) -> Any:
    def seal(plaintexts: Any, **about: Any) -> SealedPage:
        sealed: SealedPage = real.seal(plaintexts, **about)
        return replace(sealed, contents=tuple(base64.b64encode(content).decode() for content in plaintexts))

    return Standing(real, seal=seal)


class WithOurToken(httpx.AsyncBaseTransport):
    """A transport that adds our session token."""

    def __init__(self, real: httpx.AsyncBaseTransport, bearer: Any) -> None:
        self._real, self._bearer = real, bearer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["authorization"] = f"Bearer {await self._bearer.token()}"
        return await self._real.handle_async_request(request)


def with_our_token(adapters: AnyAdapters, clock: MovableClock) -> None:
    rules = AddressRules(allow_loopback_http=True, trusted_hosts=frozenset({"hiu.sandbox"}))
    transport = WithOurToken(adapters.transport(), adapters.gateway())
    adapters.pusher.override(Object(HttpPusher(PushSettings(rules=rules), transport=transport)))


def never_the_same() -> Callable[[Any], Any]:
    turns = count(1)

    def make(real: Any) -> Any:
        return Standing(real, write=lambda record: real.write(record) + b" " * next(turns))

    return make


class AnyOtp:
    """Matches whatever was typed."""

    def __init__(self, real: Any) -> None:
        self.salt, self.digest = real.salt, real.digest

    def matches(self, typed: str) -> bool:
        return True


async def any_otp(real: Any, *key: Any) -> Any:
    attempt = await real.lock(*key)
    return None if attempt is None else replace(attempt, otp=AnyOtp(attempt.otp))


def otp_sent(times: int) -> Callable[[Any], Any]:
    def make(real: Any) -> Any:
        async def send(message: Any) -> None:
            for _ in range(times):
                await real.send(message)

        return Standing(real, send=send)

    return make


def whole_number(adapters: AnyAdapters, clock: MovableClock) -> None:
    sent: list[str] = []

    def make(real: Any) -> Any:
        async def send(message: Any) -> None:
            sent.append(message.phone)
            await real.send(message)

        return Standing(real, send=send)

    def hint(call: Any) -> Any:
        return replace(call, challenge=replace(call.challenge, hint=sent[-1])) if call.challenge else call

    both(instead("otp_sender", make), says(m.OnInit, hint))(adapters, clock)


async def nothing(_real: Any, *_arguments: Any, **_named: Any) -> Any:
    return None


async def none_of_them(_real: Any, *_arguments: Any, **_named: Any) -> Any:
    return []


async def unless_ended(real: Any, consent: Any) -> None:
    if not consent.status.ended:
        await real.save(consent)


async def with_its_artefact(real: Any, consent: Any) -> None:
    known = await real.get(consent.hip_id, consent.consent_id)
    if consent.status.ended and known is not None and known.artefact is not None:
        consent = replace(consent, artefact=known.artefact)
    await real.save(consent)


async def all_contexts(real: Any, hip_id: Any, reference: Any, *, per_hi_type: int) -> Any:
    return await real.of_patient(hip_id, reference)


async def first_of_each(real: Any, hip_id: Any, codes: Any) -> Any:
    found = {record.key.visit_code: record for record in reversed(await real.servable_of(hip_id, codes))}
    return list(found.values())


async def forever(real: Any, hip_id: Any, consent_id: Any) -> Any:
    consent = await real.get(hip_id, consent_id)
    if consent is not None and consent.status.ended:
        return replace(consent, status=ConsentStatus.GRANTED)
    return consent


def no_facility_header(request: Any) -> None:
    request.headers.pop("x-hip-id", None)


def other_manager(request: Any) -> None:
    if "link/carecontext" in request.url.path:
        request.headers["x-cm-id"] = "abdm"


def stale_timestamp(request: Any) -> None:
    if "link/carecontext" in request.url.path:
        request.headers["timestamp"] = "2026-03-14T05:00:00.000Z"


def no_link_token(request: Any) -> None:
    request.headers.pop("x-link-token", None)


def same_id(request: Any) -> None:
    if "link/carecontext" in request.url.path or "generate-token" in request.url.path:
        request.headers["request-id"] = "00000000-0000-4000-8000-000000000001"


def forgetful(real: Any) -> Any:
    return Standing(real, get=no_token)


async def no_token(*_arguments: Any, **_named: Any) -> None:
    return None


def by_number(call: Any) -> Any:
    return replace(call, matched_by=(IdentifierType.MR,)) if call.entries else call


UNTITLED = instead("composer", lambda _: FaultyComposer(untitled_prescriptions))


def finds_nothing(real: Any) -> Any:
    return Standing(real, validate=lambda content: ValidationReport())


def unkept(real: Any) -> Any:
    async def put(*_arguments: Any) -> None:
        return None

    return Standing(real, put=put, put_all=put, put_many=put)


def in_range(event: Any) -> Any:
    inside = DateRange(
        start=max(event.request.date_range.start, event.request.date_range.start),
        end=min(event.request.date_range.end, event.request.date_range.start + timedelta(days=300)),
    )
    return replace(event, request=replace(event.request, date_range=inside))


def lasting_key(event: Any) -> Any:
    material = event.request.key_material
    lasting = replace(material, expires_at=material.expires_at + 10 * YEARS)
    return replace(event, request=replace(event.request, key_material=lasting))


def outcome(outcome: TransferOutcome) -> Callable[[Any], Any]:
    return lambda call: replace(call, outcome=outcome)

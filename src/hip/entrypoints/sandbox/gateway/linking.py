"""What a HIP links and announces by itself: link, context notify and the SMS deep link (contract §2.2 - §2.4)."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from hip.entrypoints.sandbox.gateway.callbacks import Callback
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.entries import AT_LINK, HI_TYPES, PatientEntry, check_entries, pairs
from hip.entrypoints.sandbox.gateway.link_tokens import LinkTokens, TokenFacts
from hip.entrypoints.sandbox.gateway.links import Links
from hip.entrypoints.sandbox.gateway.refusals import bad, empty
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.gateway.scenarios import Scenarios
from hip.entrypoints.sandbox.moments import Now, read_moment, stamp
from hip.entrypoints.sandbox.parties import mobile_of
from hip.entrypoints.sandbox.views import Sms

PHONE = re.compile(r"(\+?91-?)?[0-9]{10}")
Linked = tuple[str, str, frozenset[tuple[str, str, str]]]


class LinkBody(msgspec.Struct, rename="camel"):
    """``abhaNumber`` must be the one the token was made with, or absent when it was made without."""

    abha_address: str
    patient: list[PatientEntry]
    abha_number: int | str | None = None


class IdBody(msgspec.Struct):
    """Something named by its id."""

    id: str


class NotifiedContext(msgspec.Struct, rename="camel"):
    """The singular ``careContext`` of a context notify."""

    patient_reference: str
    care_context_reference: str


class ContextNotice(msgspec.Struct, rename="camel"):
    """New data in a linked context."""

    patient: IdBody
    care_context: NotifiedContext
    hi_types: list[str]
    date: str
    hip: IdBody


class ContextNotifyBody(msgspec.Struct):
    """Context notify."""

    notification: ContextNotice


class NamedBody(msgspec.Struct):
    """A facility as an SMS names it."""

    id: str
    name: str


class SmsNotice(msgspec.Struct, rename="camel"):
    """``phoneNo``: ten digits, with or without the country code."""

    phone_no: str
    hip: NamedBody


class SmsNotifyBody(msgspec.Struct):
    """notify2."""

    notification: SmsNotice


@dataclass(slots=True)
class Linking:
    """``too_early`` is how long after a link a context notify still fails: 5 s of the real network, already scaled.

    ``send_sms`` delivers to the patient's telephone; ``linked`` is told of every new link by a HIP.
    """

    registry: Registry
    tokens: LinkTokens
    links: Links
    scenarios: Scenarios
    now: Now
    too_early: timedelta
    send_sms: Callable[[Sms], Awaitable[None]]
    linked: Callable[[str, str, Sequence[str]], None]
    _under_way: set[Linked] = field(default_factory=set)

    def routes(self) -> Routes:
        """The endpoints."""
        return {
            ("POST", "/hip/v3/link/carecontext"): Endpoint(handle=self.link, facility=True),
            ("POST", "/hip/v3/link/context/notify"): Endpoint(handle=self.context_notify, facility=True),
            ("POST", "/hip/v3/link/patient/links/sms/notify2"): Endpoint(handle=self.sms_notify),
        }

    async def link(self, call: Call) -> Reply:
        """202 and on_carecontext. What is linked already is answered ABDM-1056; the rest of the call is linked."""
        _refuse_unreadable(call.json())
        body = call.body(LinkBody)
        facts = self.tokens.facts(call.headers.get("x-link-token", ""))
        _check_bound(facts, body, call.hip_id)
        if not body.patient:
            raise bad("ABDM-1006", "Bad request, patient must not be empty")
        check_entries(body.patient, AT_LINK)
        wanted = (call.hip_id, facts.abha_address.casefold(), frozenset(pairs(body.patient)))
        if wanted in self._under_way:
            raise bad("ABDM-1090", "Duplicate HIP link request")
        self._under_way.add(wanted)
        already = self.links.add(call.hip_id, facts.abha_address, body.patient, "HIP")
        answer: dict[str, Any] = {"abhaAddress": facts.abha_address, "status": "Successfully Linked care context"}
        if already:
            answer["status"] = "Failed to link care context"
            answer["error"] = {"code": "ABDM-1056", "message": "Care contexts are already linked"}
        answer["response"] = {"requestId": call.request_id}
        references = sorted({reference for _, reference, _ in wanted[2]} - set(already))

        async def over() -> None:
            self._under_way.discard(wanted)
            if references:
                self.linked(call.hip_id, facts.abha_address, references)

        return Reply(
            202,
            then=Callback(
                service_id=call.hip_id,
                path="/api/v3/link/on_carecontext",
                body=answer,
                delivered=over,
                failed=over,
            ),
        )

    async def context_notify(self, call: Call) -> Reply:
        """202 and on-notify: ERRORED with ABDM-1006 for a context that is not linked, or was linked a moment ago."""
        notice = call.body(ContextNotifyBody).notification
        if notice.hip.id != call.hip_id:
            raise bad("ABDM-1035", "Invalid HIP id")
        if not notice.hi_types or not set(notice.hi_types) <= set(HI_TYPES):
            raise bad("ABDM-1006", f"Invalid HI type, must be one of {', '.join(HI_TYPES)}")
        try:
            read_moment(notice.date)
        except ValueError:
            raise bad("ABDM-1006", "Bad request, invalid body: date") from None
        context = notice.care_context
        link = self.links.find(
            call.hip_id, notice.patient.id, context.patient_reference, context.care_context_reference
        )
        error = None
        early = link is None or self.now() - link.linked_at < self.too_early
        if link is None or early or self.scenarios.strikes("early-notify", call.path):
            error = {"code": "ABDM-1006", "message": "no care context linked with given reference number"}
        else:
            self.links.extend(link, notice.hi_types)
        answer = {
            "acknowledgement": {"status": "ERRORED" if error else "SUCCESS"},
            "error": error,
            "response": {"requestId": call.request_id},
        }
        return Reply(202, then=Callback(service_id=call.hip_id, path="/api/v3/links/context/on-notify", body=answer))

    async def sms_notify(self, call: Call) -> Reply:
        """202, a text message on the patient's telephone, and the callback in the form that was really seen."""
        notice = call.body(SmsNotifyBody).notification
        if not self.registry.is_hip(notice.hip.id):
            raise bad("ABDM-1035", "Invalid HIP id")
        if not notice.hip.name:
            raise bad("ABDM-1006", "Bad request, invalid body: hip.name")
        if not PHONE.fullmatch(notice.phone_no):
            raise bad("ABDM-1006", "Bad request, invalid body: phoneNo")
        await self.send_sms(
            Sms(
                mobile=mobile_of(notice.phone_no),
                text=f"{notice.hip.name} has a health record of yours. See it: "
                f"https://phr.sandbox/share-profile?hip-id={notice.hip.id}",
                sender="ABDM",
                at=stamp(self.now()),
            )
        )
        answer = {
            "requestId": None,
            "timestamp": None,
            "status": "ACKNOWLEDGED",
            "error": None,
            "resp": {"requestId": call.request_id},
        }
        return Reply(202, then=Callback(service_id=notice.hip.id, path="/api/v3/patients/sms/on-notify", body=answer))


def _refuse_unreadable(body: Any) -> None:
    """Two mistakes the real gateway answers with an empty 400: a dashed ABHA number and an array ``hiType``."""
    if not isinstance(body, dict):
        raise empty()
    number = body.get("abhaNumber")
    if isinstance(number, str) and not (number.isascii() and number.isdigit()):
        raise empty()
    entries = body.get("patient")
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and not isinstance(entry.get("hiType"), str):
            raise empty()


def _check_bound(facts: TokenFacts, body: LinkBody, hip_id: str) -> None:
    if facts.abha_address.casefold() != body.abha_address.casefold():
        raise bad("ABDM-1038", "ABHA address does not match the link token")
    number = str(body.abha_number) if body.abha_number is not None else None
    if facts.abha_number != number:
        raise bad("ABDM-1062", "ABHA number does not match the link token")
    if facts.hip_id != hip_id:
        raise bad("ABDM-1063", "HIP id does not match the link token")

"""Consents from request to revocation: the gateway as consent manager (contract §2.9, §2.16)."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import msgspec

from hip.entrypoints.sandbox.gateway.callbacks import Callback
from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.consent_bodies import (
    PURPOSE_URI,
    PURPOSES,
    CareContextRef,
    ConsentAsked,
    ConsentInitBody,
    FetchBody,
    Id,
    Narrowing,
    StatusBody,
)
from hip.entrypoints.sandbox.gateway.consent_book import Artefact, ConsentBook, ConsentRequest
from hip.entrypoints.sandbox.gateway.consent_notices import ConsentNotices
from hip.entrypoints.sandbox.gateway.keys import GatewayKeys
from hip.entrypoints.sandbox.gateway.links import Link, Links
from hip.entrypoints.sandbox.gateway.refusals import Shape, access_denied, bad
from hip.entrypoints.sandbox.gateway.registry import Registry
from hip.entrypoints.sandbox.moments import Now, stamp

Ending = Literal["REVOKED", "EXPIRED"]


class CannotGrant(ValueError):
    """The patient cannot do this with this consent now; the text says why."""


@dataclass(slots=True)
class Consents:
    """Requests, what the patient decides on them, and the artefacts they become."""

    registry: Registry
    links: Links
    book: ConsentBook
    keys: Callable[[], GatewayKeys]
    notices: ConsentNotices
    now: Now
    cm_id: str

    def routes(self) -> Routes:
        """The endpoints; consent refusals come as an array."""
        listed = Shape.LISTED_WRAPPED
        return {
            ("POST", "/consent/v3/request/init"): Endpoint(handle=self.init, shape=listed),
            ("POST", "/consent/v3/request/status"): Endpoint(handle=self.status, shape=listed),
            ("POST", "/consent/v3/fetch"): Endpoint(handle=self.fetch, shape=listed),
        }

    async def init(self, call: Call) -> Reply:
        """An HIU asks: 202, then on-init with the request's id. The patient finds it in the app."""
        asked, hiu_id = call.body(ConsentInitBody).consent, self._hiu(call)
        if self.registry.patient(asked.patient.id) is None:
            raise bad("ABDM-1170", "Invalid ABHA address")
        if asked.hip is not None and not self.registry.is_hip(asked.hip.id):
            raise bad("ABDM-1035", "Invalid HIP id")
        asked.check(hiu_id=hiu_id, now=self.now())
        request = ConsentRequest(str(uuid.uuid4()), hiu_id, asked)
        self.book.requests[request.id] = request
        answer = {"consentRequest": {"id": request.id}}
        return Reply(202, then=_to_hiu(hiu_id, "/api/v3/hiu/consent/request/on-init", answer, call.request_id))

    async def status(self, call: Call) -> Reply:
        """The state of a request, by callback."""
        request = self.book.requests.get(call.body(StatusBody).consent_request_id)
        if request is None:
            raise bad("ABDM-1030", "Invalid request id")
        artefacts = [{"id": each} for each in request.artefacts]
        answer = {"consentRequest": {"id": request.id, "status": request.status, "consentArtefacts": artefacts}}
        then = _to_hiu(self._hiu(call), "/api/v3/hiu/consent/request/on-status", answer, call.request_id)
        return Reply(202, then=then)

    async def fetch(self, call: Call) -> Reply:
        """An artefact, by callback, for the HIU it was granted to. ABDM-1112 for any other."""
        hiu_id, artefact = self._hiu(call), self.book.artefacts.get(call.body(FetchBody).consent_id)
        if artefact is None or artefact.hiu_id != hiu_id:
            raise bad("ABDM-1112", "Invalid or expired consent artefact id")
        consent: dict[str, Any] = {"status": artefact.status, "signature": artefact.signature}
        if artefact.status == "GRANTED":
            consent["consentDetail"] = artefact.detail
        then = _to_hiu(hiu_id, "/api/v3/hiu/consent/on-fetch", {"consent": consent}, call.request_id)
        return Reply(202, then=then)

    def grant(self, request_id: str, narrowing: Narrowing) -> ConsentRequest:
        """One artefact for each HIP with linked contexts that match; HIU and HIPs are told. Raises CannotGrant."""
        request = self._pending(request_id)
        matching = self._matching(request.asked, narrowing)
        if not matching:
            raise CannotGrant("no linked care context matches this request")
        request.status = "GRANTED"
        artefacts = [self._artefact(request, hip_id, links, narrowing) for hip_id, links in matching.items()]
        self.notices.tell_hiu(request, "GRANTED", request.artefacts)
        for artefact in artefacts:
            self.notices.tell_hip(artefact)
        return request

    def deny(self, request_id: str) -> ConsentRequest:
        """The HIU alone is told. Raises CannotGrant."""
        request = self._pending(request_id)
        request.status = "DENIED"
        self.notices.tell_hiu(request, "DENIED", ())
        return request

    def end(self, consent_id: str, status: Ending) -> Artefact:
        """Revoke by the patient, or expire. Raises CannotGrant when the artefact is unknown or not granted."""
        artefact = self.book.artefacts.get(consent_id)
        if artefact is None or artefact.status != "GRANTED":
            raise CannotGrant("no granted artefact has this id")
        artefact.status, artefact.hip_acknowledged = status, None
        self.notices.tell_hip(artefact)
        self.notices.tell_hiu(self.book.requests[artefact.request_id], status, (artefact.id,))
        return artefact

    def fetch_for_self(self, hip_id: str, abha_address: str, references: Sequence[str]) -> None:
        """What a patient's app does seconds after a link: a consent of its own, purpose PATRQT, granted at once."""
        app = self.registry.first("HEALTH_LOCKER") or self.registry.first("HIU")
        if app is None:
            return
        now = self.now()
        asked = {
            "patient": {"id": abha_address},
            "hip": {"id": hip_id},
            "purpose": {"code": "PATRQT", "text": PURPOSES["PATRQT"], "refUri": PURPOSE_URI},
            "hiTypes": sorted({t for link in self.links.of(abha_address, hip_id) for t in link.hi_types}),
            "permission": {
                "dateRange": {"from": stamp(now - timedelta(days=3650)), "to": stamp(now)},
                "dataEraseAt": stamp(now + timedelta(days=1)),
            },
        }
        request = ConsentRequest(str(uuid.uuid4()), app, msgspec.convert(asked, ConsentAsked))
        self.book.requests[request.id] = request
        self.grant(request.id, Narrowing(care_contexts=tuple(references)))

    def _hiu(self, call: Call) -> str:
        hiu_id = call.headers.get("x-hiu-id", "").strip()
        if not hiu_id:
            raise access_denied()
        service = self.registry.service(hiu_id)
        if service is None or not {"HIU", "HEALTH_LOCKER"} & set(service.types):
            raise bad("ABDM-1040", "Invalid HIU id")
        return hiu_id

    def _pending(self, request_id: str) -> ConsentRequest:
        request = self.book.requests.get(request_id)
        if request is None or request.status != "REQUESTED":
            raise CannotGrant("no consent request with this id is waiting")
        return request

    def _matching(self, asked: ConsentAsked, narrowing: Narrowing) -> dict[str, list[Link]]:
        hi_types = set(narrowing.hi_types or asked.hi_types) & set(asked.hi_types)
        named = {(c.patient_reference, c.care_context_reference) for c in asked.care_contexts or ()}
        found: dict[str, list[Link]] = {}
        for link in self.links.of(asked.patient.id, asked.hip.id if asked.hip else ""):
            wanted = (
                (not named or (link.patient_reference, link.reference) in named)
                and (narrowing.hips is None or link.hip_id in narrowing.hips)
                and (narrowing.care_contexts is None or link.reference in narrowing.care_contexts)
                and bool(hi_types & set(link.hi_types))
            )
            if wanted:
                found.setdefault(link.hip_id, []).append(link)
        return found

    def _artefact(self, request: ConsentRequest, hip_id: str, links: Sequence[Link], narrowing: Narrowing) -> Artefact:
        asked, consent_id = request.asked, str(uuid.uuid4())
        service, hiu = self.registry.service(hip_id), self.registry.service(request.hiu_id)
        permission = msgspec.structs.replace(
            asked.permission,
            date_range=narrowing.date_range or asked.permission.date_range,
            data_erase_at=narrowing.data_erase_at or asked.permission.data_erase_at,
        )
        contexts = [CareContextRef(link.patient_reference, link.reference) for link in links]
        hi_types = [t for t in asked.hi_types if narrowing.hi_types is None or t in narrowing.hi_types]
        detail: dict[str, Any] = {
            "schemaVersion": "v3",
            "consentId": consent_id,
            "createdAt": stamp(self.now()),
            "patient": msgspec.to_builtins(asked.patient),
            "careContexts": msgspec.to_builtins(contexts),
            "purpose": msgspec.to_builtins(asked.purpose),
            "hip": {"id": hip_id, "name": service.name if service else hip_id},
            "hiu": {"id": request.hiu_id, "name": hiu.name if hiu else request.hiu_id},
            "requester": asked.requester or {"name": hiu.name if hiu else request.hiu_id},
            "consentManager": msgspec.to_builtins(Id(self.cm_id)),
            "hiTypes": hi_types,
            "permission": msgspec.to_builtins(permission),
        }
        artefact = Artefact(
            id=consent_id,
            request_id=request.id,
            hip_id=hip_id,
            hiu_id=request.hiu_id,
            patient=asked.patient.id,
            detail=detail,
            signature=self.keys().consent_signature(detail),
        )
        self.book.artefacts[consent_id] = artefact
        request.artefacts.append(consent_id)
        return artefact


def _to_hiu(hiu_id: str, path: str, answer: dict[str, Any], request_id: str) -> Callback:
    body = {**answer, "error": None, "response": {"requestId": request_id}}
    return Callback(service_id=hiu_id, path=path, body=body, as_hiu=True)

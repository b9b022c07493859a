"""Every callback of the contract with ids of its own, what it must come to, and the ways it may rightly be written."""

import copy
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from tests.integration.fuzzing.changes import FORMS
from tests.unit.gateway import bodies

from hip.application.storage import UnitOfWork
from hip.domain.exchanges import Exchange, ExchangeId, Flow
from hip.domain.identifiers import ConsentId, HipId, RequestId, TransactionId
from hip.entrypoints.demo.stages import HIP_ID

HIP = HipId(HIP_ID)
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Message:
    """``id`` is the one in its body that is new, ``request_id`` its header; ``kind`` says what it is."""

    kind: str
    body: Json
    id: str
    request_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, kw_only=True)
class Kind:
    """``place`` is where a fresh id goes; ``ours`` the call of ours that it answers; ``shows`` what it must leave."""

    path: str
    body: Json
    place: tuple[str, ...]
    shows: Callable[[UnitOfWork, Message], Awaitable[object]]
    ours: Flow | None = None


def _said(flow: Flow, key: Callable[[Message], str]) -> Callable[[UnitOfWork, Message], Awaitable[object]]:
    async def look(uow: UnitOfWork, message: Message) -> object:
        return await uow.exchanges.lock_latest(HIP, flow, key(message))

    return look


async def _heard(uow: UnitOfWork, message: Message) -> object:
    exchange = await uow.exchanges.lock_by_request_id(HIP, RequestId(message.id))
    return exchange is not None and exchange.attempts[-1].answered_at is not None


async def _consented(uow: UnitOfWork, message: Message) -> object:
    consent = await uow.consents.get(HIP, ConsentId(message.id))
    return consent is not None and consent.status == message.body["notification"]["status"]


async def _asked(uow: UnitOfWork, message: Message) -> object:
    return await uow.transfers.get(HIP, TransactionId(message.id))


async def _closed(uow: UnitOfWork, message: Message) -> object:
    entry = await uow.audit.latest(HIP, "abha-account-changed")
    return entry is not None and entry.subject == message.request_id


_RESPONSE = ("response", "requestId")
_CONSENT_ID = ("notification", "consentId")
KINDS: dict[str, Kind] = {
    "token": Kind(path=bodies.TOKEN_PATH, body=bodies.TOKEN, place=_RESPONSE, shows=_heard, ours=Flow.GENERATE_TOKEN),
    "token-error": Kind(
        path=bodies.TOKEN_PATH, body=bodies.TOKEN_ERROR, place=_RESPONSE, shows=_heard, ours=Flow.GENERATE_TOKEN
    ),
    "link": Kind(path=bodies.LINK_PATH, body=bodies.LINK, place=_RESPONSE, shows=_heard, ours=Flow.LINK_CARE_CONTEXT),
    "context": Kind(
        path=bodies.CONTEXT_PATH, body=bodies.CONTEXT, place=_RESPONSE, shows=_heard, ours=Flow.CONTEXT_NOTIFY
    ),
    "sms": Kind(path=bodies.SMS_PATH, body=bodies.SMS, place=("resp", "requestId"), shows=_heard, ours=Flow.SMS_NOTIFY),
    "discover": Kind(
        path=bodies.DISCOVER_PATH,
        body=bodies.DISCOVER,
        place=("transactionId",),
        shows=_said(Flow.ON_DISCOVER, lambda message: message.id),
    ),
    "init": Kind(
        path=bodies.INIT_PATH,
        body=bodies.INIT,
        place=("transactionId",),
        shows=_said(Flow.ON_INIT, lambda message: f"{message.id}|{message.request_id}"),
    ),
    "confirm": Kind(
        path=bodies.CONFIRM_PATH,
        body=bodies.CONFIRM,
        place=("confirmation", "linkRefNumber"),
        shows=_said(Flow.ON_CONFIRM, lambda message: f"{message.id}|{message.request_id}"),
    ),
    "share": Kind(
        path=bodies.SHARE_PATH,
        body=bodies.SHARE,
        place=("metaData", "latitude"),  # it has no id: its REQUEST-ID is
        shows=_said(Flow.ON_SHARE, lambda message: message.request_id),
    ),
    "granted": Kind(path=bodies.CONSENT_PATH, body=bodies.GRANTED, place=_CONSENT_ID, shows=_consented),
    "revoked": Kind(path=bodies.CONSENT_PATH, body=bodies.REVOKED, place=_CONSENT_ID, shows=_consented),
    "request": Kind(path=bodies.REQUEST_PATH, body=bodies.REQUEST, place=("transactionId",), shows=_asked),
    "closed": Kind(path=bodies.STATUS_PATH, body=bodies.CLOSED, place=("notification", "since"), shows=_closed),
}


def message(kind: str) -> Message:
    """A new one, as the contract shows it."""
    content, fresh = copy.deepcopy(KINDS[kind].body), str(uuid4())
    holder = content
    *parents, last = KINDS[kind].place
    for name in parents:
        holder = holder[name]
    holder[last] = fresh
    if kind == "granted":
        detail = content["notification"]["consentDetail"]
        detail["consentId"] = fresh
        detail["permission"]["dataEraseAt"] = "2090-03-15T06:50:00.000Z"  # or the sweep has ended it before we look
    return Message(kind=kind, body=content, id=fresh)


def our_call(message: Message, *, now: datetime) -> Exchange | None:
    """The call that the message answers, as it stands registered; None for what the gateway begins."""
    flow = KINDS[message.kind].ours
    if flow is None:
        return None
    key = "meera.k01@sbx" if flow is Flow.GENERATE_TOKEN else f"{message.id}|1"
    return Exchange.open(
        ExchangeId(message.id),
        hip_id=HIP,
        flow=flow,
        business_key=key,
        request_id=RequestId(message.id),
        now=now,
        answer_due=now + timedelta(hours=1),
    )


_MORE = ("", "more", "x-ключ", "💉", "a.b", "$ref", "__proto__", "Response ")
_DATES = frozenset({"createdAt", "from", "to", "dataEraseAt", "expiry"})
_PREFIXES = ("/api/v3/", "/v3/", "/ndhm/api/v3/", "//api//v3/", "/fhir-gateway/hip//api/v3/")


@st.composite
def otherwise_written(draw: st.DrawFn, message: Message) -> bytes:
    """The same message, as another gateway or the next release of this one may rightly write it (contract §1.4)."""
    content = _rewritten(draw, copy.deepcopy(message.body))
    for name in ("requestId", "timestamp"):
        if draw(st.booleans()):
            content[name] = draw(st.sampled_from([None, "", " ", str(uuid4()), 5]))
    if "response" in content and draw(st.booleans()):
        content["resp"] = content.pop("response")
    text = json.dumps(content, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 0, 3])))
    before, after = draw(st.sampled_from(["", "\ufeff", "\r\n\t "])), draw(st.sampled_from(["", "\n", "  "]))
    return (before + text + after).encode()


def _rewritten(draw: st.DrawFn, value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        made = {key: _rewritten(draw, inner, key) for key, inner in value.items()}
        if draw(st.booleans()):
            made[draw(st.sampled_from(_MORE))] = draw(st.sampled_from([None, 1, "x", [], {"deeper": [{}]}]))
        return made
    if isinstance(value, list):
        return [_rewritten(draw, inner) for inner in value]
    if name in _DATES:
        at = datetime.fromisoformat(value).astimezone(UTC)
        # A plain date would be another moment.
        return draw(st.sampled_from(FORMS[:-1]))(at)
    if name in ("yearOfBirth", "dayOfBirth", "monthOfBirth"):
        return draw(st.sampled_from([int(value), str(value)]))
    if name == "gender":
        return draw(st.sampled_from([value, value.lower()]))
    if name == "unverifiedIdentifiers":
        return draw(st.sampled_from([value, None, []]))
    return value


@st.composite
def paths(draw: st.DrawFn, path: str) -> str:
    """Where a reverse proxy or an older gateway may deliver it (CB-08)."""
    return draw(st.sampled_from(_PREFIXES)) + path.removeprefix("/api/v3/") + draw(st.sampled_from(["", "/", "//"]))


@st.composite
def headers(draw: st.DrawFn) -> dict[str, str | None]:
    """TIMESTAMP in every form and none, our id under either name, and the mesh's own headers."""
    now = datetime.now(UTC)
    stamp = draw(st.sampled_from([*(form(now) for form in FORMS), "yesterday", "", "1e9", "9" * 3000, None]))
    named: dict[str, str | None] = {"timestamp": stamp}
    if draw(st.booleans()):
        named |= {"x_hip_id": None, "x_hiu_id": HIP_ID}
    else:
        named["x_hip_id"] = draw(st.sampled_from([HIP_ID, f" {HIP_ID} ", f"{HIP_ID}\t"]))
    if draw(st.booleans()):
        named |= {
            "x_b3_traceid": "0" * 32,
            "x_request_id": "another",
            "x_odd": "\xe9\xff" * 9,
            "content_type": "text/plain",
        }
    return named

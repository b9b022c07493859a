"""What the gateway's codes mean for each call of ours: cause, what to do, and who has to do it (contract §1.11).

One code has several published meanings, so the call decides: ABDM-1063 is a wrong HIP on a link and a bad date range on
a request for health information. The gateway's prose is never looked at.
"""

from dataclasses import dataclass
from enum import StrEnum

from hip.domain.exchanges import Flow


class Actor(StrEnum):
    """Who has to act."""

    DESK = "desk"
    IT = "IT"
    NHA = "NHA"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One meaning of a code. ``cause`` and ``fix`` are sentences without a person's data."""

    cause: str
    fix: str
    actor: Actor


def _say(actor: Actor, cause: str, fix: str) -> Explanation:
    return Explanation(cause=cause, fix=fix, actor=actor)


_DESK, _IT, _NHA, _NOBODY = Actor.DESK, Actor.IT, Actor.NHA, Actor.NOBODY
_TOKEN, _LINK = Flow.GENERATE_TOKEN, Flow.LINK_CARE_CONTEXT
_ITSELF = "nothing: it is tried again by itself"
_NEW_TOKEN = "nothing the first time: a new token is asked for once; if it comes again, correct the ABHA at the desk"  # noqa: S105

_OF_A_CALL: dict[tuple[str, Flow], Explanation] = {
    ("ABDM-1207", _TOKEN): _say(
        _DESK, "the name, gender or year of birth differs from the ABHA profile", "correct it at the desk"
    ),
    ("ABDM-1036", _TOKEN): _say(_DESK, "the demographics differ from the ABHA profile", "correct them at the desk"),
    ("ABDM-1043", _TOKEN): _say(_DESK, "the ABHA address does not match the patient's KYC", "correct it at the desk"),
    ("ABDM-1051", _TOKEN): _say(_DESK, "the ABHA number or address is not valid", "correct it at the desk"),
    ("ABDM-1023", _TOKEN): _say(_DESK, "the gateway does not know this user", "correct the ABHA at the desk"),
    ("ABDM-9999", _TOKEN): _say(_DESK, "the gateway does not know this ABHA address", "check its spelling at the desk"),
    ("ABDM-1027", _TOKEN): _say(_DESK, "too many link-token requests", "wait 24 hours; correct the demographics first"),
    ("ABDM-1092", _TOKEN): _say(_NOBODY, "the same request was made a moment ago", _ITSELF),
    ("ABDM-1019", _TOKEN): _say(_NOBODY, "a service behind the gateway is away", _ITSELF),
    ("ABDM-1024", _TOKEN): _say(_NOBODY, "a service behind the gateway is away", _ITSELF),
    ("ABDM-1026", _LINK): _say(_DESK, "the link token is not valid any more", _NEW_TOKEN),
    ("ABDM-1038", _LINK): _say(_DESK, "the link token belongs to another ABHA address", _NEW_TOKEN),
    ("ABDM-1062", _LINK): _say(_DESK, "the link token belongs to another ABHA number", _NEW_TOKEN),
    ("ABDM-1063", _LINK): _say(_IT, "the link token belongs to another HIP", _NEW_TOKEN),
    ("ABDM-1066", _LINK): _say(_DESK, "the link token is not a valid JWT", _NEW_TOKEN),
    ("ABDM-1056", _LINK): _say(_NOBODY, "the care context is linked already", "nothing"),
    ("ABDM-1090", _LINK): _say(_NOBODY, "the same link was asked for a moment ago", "wait for its callback"),
    ("ABDM-1006", _LINK): _say(_IT, "the gateway finds the body wrong", "look at the exchange; report it as a bug"),
    ("ABDM-1037", _LINK): _say(_IT, "count and care contexts differ", "report it as a bug"),
    ("ABDM-1006", Flow.CONTEXT_NOTIFY): _say(
        _NOBODY, "the gateway does not know the link yet, in its first seconds", _ITSELF
    ),
    ("ABDM-1004", Flow.SMS_NOTIFY): _say(_NHA, "the gateway's SMS provider is away", "try again later; tell NHA"),
    ("ABDM-1008", Flow.SMS_NOTIFY): _say(_NHA, "SMS is switched off at the gateway", "ask NHA to enable it"),
    ("ABDM-1063", Flow.HEALTH_INFORMATION_ON_REQUEST): _say(
        _NOBODY, "the requester's date range is outside its consent", "nothing: the requester has to ask again"
    ),
    ("ABDM-1062", Flow.HEALTH_INFORMATION_ON_REQUEST): _say(
        _NOBODY, "the consent is not granted", "nothing: the requester needs a consent"
    ),
    ("ABDM-1407", _LINK): _say(_NOBODY, "the patient closed the ABHA account", "nothing, until it is opened again"),
    ("ABDM-1407", _TOKEN): _say(_NOBODY, "the patient closed the ABHA account", "nothing, until it is opened again"),
}

_OF_ANY_CALL: dict[str, Explanation] = {
    "ABDM-1016": _say(_IT, "the gateway finds our TIMESTAMP wrong", "check this machine's clock (NTP)"),
    "ABDM-1022": _say(_NOBODY, "too many requests", _ITSELF),
    "ABDM-2429": _say(_NOBODY, "too many requests", _ITSELF),
    "ABDM-1035": _say(_IT, "the gateway does not know this facility", "check the bridge: `hip bridge show`"),
    "ABDM-1030": _say(_IT, "the gateway does not know the request that was answered", "look at the exchange"),
    "ABDM-1064": _say(_IT, "a REQUEST-ID was used twice", "report it as a bug"),
    "ABDM-2500": _say(_IT, "the facility is not active on our bridge", "check the bridge: `hip bridge show`"),
    "ABDM-2403": _say(_IT, "X-CM-ID does not fit this environment", "check HIP_CM_ID and HIP_GATEWAY_URL"),
    "900901": _say(_IT, "the gateway refused our session", "check client id and secret"),
    "900902": _say(_IT, "the gateway saw no session", "check client id and secret"),
    "401": _say(_IT, "the gateway refused our session", "check client id and secret"),
    "403": _say(
        _IT, "a header is missing, or X-CM-ID is of another environment", "check HIP_CM_ID and HIP_GATEWAY_URL"
    ),
    "404": _say(_IT, "the gateway knows no such path", "check HIP_GATEWAY_URL"),
    "no-answer": _say(
        _NHA, "the gateway sent no callback", "check that the bridge URL is ours (`hip bridge show`), then tell NHA"
    ),
    "no-reply": _say(_IT, "the gateway did not reply", "check the network; it is tried again by itself"),
    "not-sent": _say(_IT, "the gateway cannot be reached", "check the network; it is tried again by itself"),
    "no-session": _say(
        _IT, "the gateway gave us no session", "check client id and secret, then the network; it is tried again"
    ),
}

_ITS_OWN_FAULT = frozenset({"ABDM-1000", "ABDM-1011", "ABDM-1018", "ABDM-1020", "ABDM-1029", "ABDM-1048", "500", "503"})


def explain(code: str, flow: Flow) -> Explanation:
    """What ``code`` means when ``flow`` met it; an unknown one is for IT to look at. Never raises."""
    known = _OF_A_CALL.get((code, flow)) or _OF_ANY_CALL.get(code)
    if known is not None:
        return known
    if code in _ITS_OWN_FAULT:
        return _say(_NHA, "something inside the gateway failed", "it is tried again by itself; if it lasts, tell NHA")
    return _say(_IT, "not a code that this service knows", "look at the exchange")

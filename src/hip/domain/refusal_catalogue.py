"""The codes of contract §1.11 as we may meet them: of one call, where a code has several meanings, and of any."""

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
_DISCOVER, _INIT, _CONFIRM, _SHARE = Flow.ON_DISCOVER, Flow.ON_INIT, Flow.ON_CONFIRM, Flow.ON_SHARE
_CONSENT, _REQUEST = Flow.CONSENT_ON_NOTIFY, Flow.HEALTH_INFORMATION_ON_REQUEST
_ITSELF = "nothing: it is tried again by itself"
_BUG = "look at the exchange; report it as a bug"
_BRIDGE = "check the bridge: `hip bridge show`"
_CLOCK = "check this machine's clock (NTP)"
_CREDENTIALS = "check client id and secret"
_PLACE = "check HIP_CM_ID and HIP_GATEWAY_URL"
_APP = "nothing: the patient's app has to begin again"
_LATER = "run `hip exchanges retry` later; if it lasts, tell NHA"
_A_FEW_TIMES = "nothing at first: it is tried again by itself, five times in all; after that run `hip exchanges retry`"
_BY_REPLY = (
    "nothing if the reply said so: then it is tried again by itself; if a callback did, run `hip exchanges retry` later"
)
_NEW_TOKEN = "nothing the first time: a new token is asked for once; if it comes again, correct the ABHA at the desk"  # noqa: S105

_ANSWERED = _say(_NOBODY, "this was answered already", "nothing")
_APP_GONE = _say(_NOBODY, "the gateway does not know this transaction any more: our answer came late", _APP)
_BAD_ANSWER = _say(_IT, "the gateway finds our answer wrong", _BUG)
_NOT_ABHA = _say(_DESK, "the ABHA number or address is not valid", "correct it at the desk")
_CLOSED = _say(_NOBODY, "the patient closed the ABHA account", "nothing, until it is opened again")
_AWAY = _say(_NOBODY, "a service behind the gateway is away", _ITSELF)
_REQUESTER_MUST = "nothing: the requester has to ask again"

ITS_OWN_FAULT = ("ABDM-1000", "ABDM-1011", "ABDM-1018", "ABDM-1020", "ABDM-1029", "ABDM-1048")
"""Something inside the gateway failed; nothing is wrong with what was said."""

OF_A_CALL: dict[tuple[str, Flow], Explanation] = {
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
    ("ABDM-1019", _TOKEN): _AWAY,
    ("ABDM-1024", _TOKEN): _AWAY,
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
    ("ABDM-1407", _LINK): _CLOSED,
    ("ABDM-1407", _TOKEN): _CLOSED,
    **{
        (code, _TOKEN): _say(_NHA, f"the gateway sent a link token that {said}; it was not used", _LATER)
        for code, said in (
            ("ABDM-1026", "was over already"),
            ("ABDM-1038", "names another ABHA address"),
            ("ABDM-1062", "names another ABHA number"),
            ("ABDM-1063", "names another HIP"),
        )
    },
    ("ABDM-1013", _TOKEN): _NOT_ABHA,
    ("ABDM-1013", _LINK): _NOT_ABHA,
    ("ABDM-1170", _TOKEN): _NOT_ABHA,
    ("ABDM-1170", _LINK): _NOT_ABHA,
    ("ABDM-1125", _TOKEN): _say(_DESK, "no ABHA number and no address was sent", "enter one at the desk"),
    ("ABDM-1012", _LINK): _say(_DESK, "the gateway has nothing under this ABHA address", "check its spelling"),
    **{
        (code, flow): _say(actor, cause, fix)
        for code, cause in (
            ("ABDM-1019", "a service behind the gateway is away"),
            ("ABDM-1024", "a service behind the gateway is away"),
            ("ABDM-1022", "too many requests"),
            ("ABDM-2429", "too many requests"),
        )
        for flow, actor, fix in (
            (_LINK, _NOBODY, _A_FEW_TIMES),
            (Flow.CONTEXT_NOTIFY, _NOBODY, _A_FEW_TIMES),
            # A person feels an SMS.
            (Flow.SMS_NOTIFY, _IT, _BY_REPLY),
        )
    },
    **{
        (code, flow): _say(_NHA, "something inside the gateway failed", f"{fix}; if it lasts, tell NHA")
        for code in ITS_OWN_FAULT
        for flow, fix in (
            (_LINK, _A_FEW_TIMES),
            (Flow.CONTEXT_NOTIFY, _A_FEW_TIMES),
            (Flow.SMS_NOTIFY, _BY_REPLY),
            # Each call for a token counts: three a day.
            (_TOKEN, _ITSELF if code == "ABDM-1048" else _BY_REPLY),
        )
    },
    ("ABDM-1060", _LINK): _say(_IT, "the gateway finds a reference of the patient wrong", _BUG),
    ("ABDM-1061", _LINK): _say(_IT, "the gateway finds the display text wrong", _BUG),
    ("ABDM-1091", _LINK): _say(_NOBODY, "the same links were asked for a moment ago", "wait for the callback"),
    ("ABDM-1044", Flow.CONTEXT_NOTIFY): _say(_NHA, "the gateway could not pass the news on", _LATER),
    ("ABDM-1034", Flow.SMS_NOTIFY): _say(_NHA, "the gateway's notification service failed", "tell NHA"),
    ("ABDM-1010", _TOKEN): _say(_DESK, "the gateway finds the demographics wrong", "correct them at the desk"),
    ("ABDM-1012", _DISCOVER): _say(_NOBODY, "the gateway has nothing under this ABHA address", _APP),
    ("ABDM-1017", _DISCOVER): _APP_GONE,
    ("ABDM-1017", _INIT): _APP_GONE,
    ("ABDM-1017", _REQUEST): _say(_NOBODY, "the gateway does not know this transaction any more", _REQUESTER_MUST),
    ("ABDM-1056", _INIT): _say(_NOBODY, "linked already, or the link reference is over", _APP),
    ("ABDM-1056", _CONFIRM): _say(_NOBODY, "linked already, or the link reference is over", _APP),
    ("ABDM-1103", _DISCOVER): _ANSWERED,
    ("ABDM-1104", _INIT): _ANSWERED,
    ("ABDM-1105", _CONFIRM): _ANSWERED,
    ("ABDM-1106", _DISCOVER): _ANSWERED,
    ("ABDM-1107", _INIT): _ANSWERED,
    ("ABDM-1108", _CONFIRM): _ANSWERED,
    ("ABDM-1087", _SHARE): _ANSWERED,
    ("ABDM-1113", _REQUEST): _ANSWERED,
    ("ABDM-1064", _CONSENT): _ANSWERED,
    ("ABDM-1102", _SHARE): _say(_NOBODY, "the shared profile was empty", "nothing: the patient has to scan again"),
    ("ABDM-1007", _SHARE): _say(_NOBODY, "our answer came too late", "nothing: the patient has to scan again"),
    ("ABDM-1049", _SHARE): _say(_IT, "the intent of the share is not valid", _BUG),
    ("ABDM-1050", _SHARE): _say(_IT, "the metadata of the share are not valid", _BUG),
    ("ABDM-1149", _SHARE): _say(_NOBODY, "the patient's app asks for what is not supported", "nothing"),
    ("ABDM-1031", _REQUEST): _say(_NOBODY, "requester and provider are the same", _REQUESTER_MUST),
    ("ABDM-1112", _REQUEST): _say(_NOBODY, "the consent is unknown or over", "nothing: the requester needs a consent"),
    ("ABDM-1112", _CONSENT): _say(_NOBODY, "the consent is unknown or over", "nothing"),
    ("ABDM-1061", _REQUEST): _say(_NOBODY, "the consent has expired", "nothing: the requester needs a consent"),
    ("1428", _REQUEST): _say(_NOBODY, "the consent is not granted", "nothing: the requester needs a consent"),
}

OF_ANY_CALL: dict[str, Explanation] = {
    "ABDM-1016": _say(_IT, "the gateway finds our TIMESTAMP wrong", _CLOCK),
    "ABDM-1022": _say(_NOBODY, "too many requests", _ITSELF),
    "ABDM-2429": _say(_NOBODY, "too many requests", _ITSELF),
    "ABDM-1035": _say(_IT, "the gateway does not know this facility", "check the bridge: `hip bridge show`"),
    "ABDM-1030": _say(_IT, "the gateway does not know the request that was answered", "look at the exchange"),
    "ABDM-1064": _say(_IT, "a REQUEST-ID was used twice", "report it as a bug"),
    "ABDM-2500": _say(_IT, "the facility is not active on our bridge", "check the bridge: `hip bridge show`"),
    "ABDM-2403": _say(_IT, "X-CM-ID does not fit this environment", "check HIP_CM_ID and HIP_GATEWAY_URL"),
    "900901": _say(_IT, "the gateway refused our session", "check client id and secret"),
    "900902": _say(_IT, "the gateway saw no session", "check client id and secret"),
    "400": _say(_IT, "the gateway finds the body wrong, and does not say where", _BUG),
    "401": _say(_IT, "the gateway refused our session", "check client id and secret"),
    "403": _say(
        _IT, "a header is missing, or X-CM-ID is of another environment", "check HIP_CM_ID and HIP_GATEWAY_URL"
    ),
    "408": _say(_NOBODY, "the gateway took too long", _ITSELF),
    "429": _say(_NOBODY, "too many requests", _ITSELF),
    "404": _say(_IT, "the gateway knows no such path", "check HIP_GATEWAY_URL and HIP_GATEWAY_PATHS"),
    "no-answer": _say(
        _NHA, "the gateway sent no callback", "check that the bridge URL is ours (`hip bridge show`), then tell NHA"
    ),
    "no-reply": _say(_IT, "the gateway did not reply", "check the network; it is tried again by itself"),
    "not-sent": _say(_IT, "the gateway cannot be reached", "check the network; it is tried again by itself"),
    "no-session": _say(
        _IT, "the gateway gave us no session", "check client id and secret, then the network; it is tried again"
    ),
    "no-session-clock": _say(_IT, "the gateway gave us no session, for it finds our TIMESTAMP wrong", _CLOCK),
    "ABDM-1001": _say(_IT, "the gateway has nothing under this id", _BRIDGE),
    "ABDM-1006": _say(_IT, "the gateway finds the body wrong", _BUG),
    "ABDM-1010": _say(_IT, "the gateway finds a value wrong", _BUG),
    "ABDM-1015": _BAD_ANSWER,
    "ABDM-1025": _say(_IT, "the gateway does not know the service id", _BRIDGE),
    "ABDM-1028": _say(_IT, "the gateway could not reach us", "check that HIP_PUBLIC_URL is reachable from outside"),
    "ABDM-1401": _say(_IT, "the gateway could not reach us", "check that HIP_PUBLIC_URL is reachable from outside"),
    "ABDM-1402": _say(_IT, "the gateway saw no acknowledgement of ours", "check that web processes and workers run"),
    "ABDM-1032": _say(_IT, "the gateway finds a header wrong", _PLACE),
    "ABDM-1033": _say(_NOBODY, "the requester cannot be reached", "nothing: the requester has to come back"),
    "ABDM-1037": _say(_IT, "count and care contexts differ", "report it as a bug"),
    "ABDM-1040": _say(_IT, "the gateway does not know the requester's id", "look at the exchange, then tell NHA"),
    "ABDM-1041": _say(_IT, "the gateway finds our acknowledgement wrong", _BUG),
    "ABDM-1042": _say(_IT, "the provider's id is missing", _BUG),
    "ABDM-1044": _say(_NHA, "the gateway could not pass the news on", _LATER),
    "ABDM-1045": _say(_NHA, "the gateway's database is closed to it", _LATER),
    "ABDM-1046": _say(_NOBODY, "the consent states no purpose", "nothing: the requester needs another consent"),
    "ABDM-1047": _say(_NOBODY, "the consent's purpose is not valid", "nothing: the requester needs another consent"),
    "ABDM-1052": _say(_IT, "the gateway does not know what was answered", "look at the exchange"),
    "ABDM-1055": _say(_IT, "the gateway does not know this facility or app", _BRIDGE),
    "ABDM-1057": _say(_IT, "the gateway finds the care contexts wrong", _BUG),
    "ABDM-1059": _say(_IT, "the gateway finds the number of care contexts wrong", _BUG),
    "ABDM-1060": _say(_IT, "the gateway finds a reference of the patient wrong", _BUG),
    "ABDM-1061": _say(_IT, "the gateway finds the display text wrong", _BUG),
    "ABDM-1065": _say(_IT, "a token of the patient's app is not valid", _BUG),
    "ABDM-1066": _say(_IT, "a token is not a valid JWT", _CREDENTIALS),
    "ABDM-1067": _say(_IT, "a body was sent where none is wanted", _BUG),
    **{
        code: _say(_IT, "something does not fit the token of the patient's app, which we never send", _BUG)
        for code in ("ABDM-1084", "ABDM-1085", "ABDM-1086", "ABDM-2401")
    },
    **{
        code: _say(_IT, "the same change of the bridge was asked for already", _BRIDGE)
        for code in ("ABDM-1093", "ABDM-1094", "ABDM-1095")
    },
    "ABDM-1109": _BAD_ANSWER,
    "ABDM-1110": _BAD_ANSWER,
    "ABDM-1111": _BAD_ANSWER,
    "ABDM-1115": _say(_IT, "our answer to the discovery names no patient", _BUG),
    "ABDM-1150": _say(_IT, "the bridge states no version of its API", _BRIDGE),
    "ABDM-1201": _say(_NHA, "the gateway's identity provider failed", _LATER),
    "ABDM-2402": _say(_IT, "the gateway finds our TIMESTAMP wrong", _CLOCK),
    "ABDM-2404": _say(_IT, "the gateway finds our REQUEST-ID wrong", _BUG),
    "ABDM-2406": _say(_IT, "the gateway did not expect this call now", "look at the exchange"),
    "ABDM-2501": _say(_IT, "the gateway saw no Authorization header", _CREDENTIALS),
    "ABDM-9999": _say(_IT, "the gateway names no cause", "look at the exchange; if it lasts, tell NHA"),
    "900900": _say(_IT, "the gateway refused our session", _CREDENTIALS),
}

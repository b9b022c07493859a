"""Ways the real gateway was seen to misbehave, each switched on by name (contract §7.2, item 5 and after)."""

from collections.abc import Iterable

from hip.entrypoints.sandbox.switches import Switch, Switches, UnknownScenario

__all__ = ["SCENARIOS", "Scenarios", "Switch", "UnknownScenario"]

SCENARIOS = {
    "callback-before-reply": "the callback arrives before the HTTP reply of the call that caused it",
    "duplicate-callbacks": "every callback comes twice, with the same REQUEST-ID",
    "repeated-business": "every callback comes twice, the second time with a new REQUEST-ID",
    "null-request-ids": "bodies carry requestId and timestamp, both null",
    "empty-request-ids": "bodies carry requestId and timestamp, both empty texts",
    "null-unverified": "unverifiedIdentifiers is null in discovery",
    "hiu-header-on-confirm": "link confirm names the facility in X-HIU-ID instead of X-HIP-ID",
    "numeric-otp": "the OTP of link confirm is a JSON number",
    "wrong-otp": "the first confirm of each link reference carries another OTP than the patient typed",
    "bare-revocation": "REVOKED and EXPIRED notices carry the consentId alone",
    "artefact-without-hiu": "the artefact a HIP gets names neither hiu nor requester",
    "array-date-range": "the dateRange of a data request is an array of one object",
    "zoneless-timestamps": "the gateway's times lack their Z",
    "skewed-clock": "callbacks carry a TIMESTAMP 15 minutes old",
    "once-503": "the first call to each path is answered 503",
    "once-429": "the first call to each path is answered 429, with Retry-After",
    "once-401": "the first call to each path is answered 401 although the session is good",
    "error-shapes": "refusals come in five shapes in turn",
    "duplicate-token-request": "generate-token is refused with ABDM-1092",
    "token-blocked": "on-generate-token says ABDM-1027, blocked for 24 hours",
    "early-notify": "a context notify is answered ABDM-1006 although the context has long been linked",
    "slow": "every reply takes 3 seconds more",
    "slow-callbacks": "every callback comes 5 seconds later",
    "silent": "calls are accepted and their callbacks never come",
    "silent-calls": "calls are read and never answered",
    "unchecked-requests": "data requests reach the HIP though the consent does not allow them",
    "self-fetch": "the patient's app fetches what was linked by itself",
}


class Scenarios(Switches):
    """The gateway's switches that are on."""

    def __init__(self, switches: Iterable[Switch] = ()) -> None:
        super().__init__(SCENARIOS, switches)

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

_HIP_SIDE = (
    "/v3/token/generate-token",
    "/hip/v3/link/",
    "/user-initiated-linking/v3/patient/care-context/on-",
    "/user-initiated-linking/v3/link/care-context/on-",
    "/patient-share/v3/on-share",
    "/consent/v3/request/hip/on-notify",
    "/data-flow/v3/health-information/hip/on-request",
    "/data-flow/v3/health-information/notify",
    "/api/v3/hip/",
    "/api/v3/link",
    "/api/v3/patients/",
    "/api/v3/consent/request/hip/",
)
MIXED_PATHS = dict.fromkeys(("silent", "silent-calls", "once-503", "once-429", "once-401", "error-shapes"), _HIP_SIDE)
"""When everything happens at random, these happen to the HIP alone: the sandbox's own parties do not insist as it must,
and what they lost would say nothing about it."""


class Scenarios(Switches):
    """The gateway's switches that are on."""

    def __init__(self, switches: Iterable[Switch] = ()) -> None:
        super().__init__(SCENARIOS, switches)

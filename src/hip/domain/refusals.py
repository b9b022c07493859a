"""What the gateway's codes mean for each call of ours: cause, what to do, and who has to do it (contract §1.11).

One code has several published meanings, so the call decides: ABDM-1063 is a wrong HIP on a link and a bad date range on
a request for health information. The gateway's prose is never looked at.
"""

from hip.domain.exchanges import Flow
from hip.domain.refusal_catalogue import ITS_OWN_FAULT, OF_A_CALL, OF_ANY_CALL, Actor, Explanation

__all__ = ["Actor", "Explanation", "explain"]

_ITS_OWN = Explanation(
    cause="something inside the gateway failed",
    fix="it is tried again by itself; if it lasts, tell NHA",
    actor=Actor.NHA,
)
_UNKNOWN = Explanation(cause="not a code that this service knows", fix="look at the exchange", actor=Actor.IT)
_ITS_OWN_FAULT = frozenset({*ITS_OWN_FAULT, "500", "503"})


def explain(code: str, flow: Flow) -> Explanation:
    """What ``code`` means when ``flow`` met it; an unknown one is for IT to look at. Never raises."""
    known = OF_A_CALL.get((code, flow)) or OF_ANY_CALL.get(code)
    if known is not None:
        return known
    if code in _ITS_OWN_FAULT:
        return _ITS_OWN
    return _UNKNOWN

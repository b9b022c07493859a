"""A call that the gateway took and then refused by callback, for the moment only: it is made again (contract §1.10).

Refused in the reply, such a call is tried again by the row it belongs to; a callback finds that row done.
"""

from datetime import timedelta
from zlib import crc32

from hip.application.waits import Waits
from hip.domain.exchanges import Exchange

PASSING = frozenset(
    {
        # Too many requests, and a service behind the gateway that is away.
        *("ABDM-1022", "ABDM-2429", "ABDM-1019", "ABDM-1024"),
        # Something inside the gateway failed.
        *("ABDM-1000", "ABDM-1011", "ABDM-1018", "ABDM-1020", "ABDM-1029", "ABDM-1048"),
    }
)
MOST_CALLS = 5
"""Calls of one conversation, the first included."""


def wait_before_repeat(exchange: Exchange, waits: Waits) -> timedelta | None:
    """How long to wait before the refused call is made again: ever longer, never shorter than ``waits.throttled``.

    Spread by the REQUEST-ID over half as much again, so that what was refused together does not come back together.
    None for a refusal that will not pass, or has not for ``MOST_CALLS``.
    """
    last, made = exchange.attempts[-1], len(exchange.attempts)
    if last.code not in PASSING or made >= MOST_CALLS:
        return None
    spread = crc32(last.request_id.encode()) / 2**32
    wait: timedelta = waits.throttled * (1 << (made - 1)) * (1 + spread / 2)
    return wait

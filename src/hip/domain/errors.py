"""The one error tree. Three kinds are kept apart:

    HipError
    ├── DomainError            expected; never retried; carries a stable ABDM code
    │   ├── InvalidValue       one field of an input is wrong (``field``, ``expected``)
    │   ├── WorkerLost         whoever did this work ended each time, too often to try again by itself
    │   ├── Unstorable         a store refuses one record for what it holds, however often it is offered
    │   ├── NotFound           the thing asked for is unknown here
    │   ├── Conflict           a unique thing exists already, with other content
    │   ├── IllegalTransition  a state machine refused an event
    │   ├── LinkTokenRefused   a link token does not fit what it is used for
    │   ├── KeyMaterialRefused the peer's key, nonce or curve is unusable
    │   ├── UnsafeUrl          a push address that must not be called
    │   ├── PushRefused        the requester answered a push with a final no
    │   ├── Unsealable         a sealed value does not open with our keys
    │   ├── OtpNotSent         an OTP could not be handed over to the patient's telephone
    │   └── GatewayRefused     the gateway answered no: (code, call)
    └── Transient              worth another try later: storage, network, 5xx
        ├── Waiting            its turn has not come: no failure, and not counted as one
        ├── CircuitOpen        nothing is sent to a host that keeps failing: not counted as a failure either
        ├── StorageFailed      Postgres, Mongo, Redis or the queue did not answer
        └── SessionRefused     the gateway refused our session token; it has been dropped

Messages never hold clinical data, tokens, keys or whole identifiers; a code is ABDM's where one exists
(contract §1.11). HTTP statuses belong to ``entrypoints``.
"""

from datetime import timedelta


class HipError(Exception):
    """Root of everything this service raises on purpose."""


class DomainError(HipError):
    """An expected refusal. ``code`` is stable and ABDM's own where one exists."""

    code: str = "ABDM-9999"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class InvalidValue(DomainError):
    """A field holds something that cannot be accepted.

    ``field`` is a dotted path into the input; ``expected`` says in words what would have been right. The offending
    value is never part of the message, for it may be personal.
    """

    code = "ABDM-1006"

    def __init__(self, field: str, expected: str, *, code: str | None = None) -> None:
        super().__init__(f"{field}: expected {expected}", code=code)
        self.field = field
        self.expected = expected


class WorkerLost(DomainError):
    """Whoever did this work ended each time without a word, so often that it is not tried again by itself."""


class Unstorable(DomainError):
    """A store refuses this record alone, for what it holds: trying again changes nothing."""


class NotFound(DomainError):
    """Nothing is stored under this key for this HIP."""

    code = "ABDM-1001"

    def __init__(self, what: str, key: str, *, code: str | None = None) -> None:
        super().__init__(f"{what} {key} is not known", code=code)
        self.what = what
        self.key = key


class Conflict(DomainError):
    """A unique key is taken by different content (for a callback: CB-04)."""

    code = "ABDM-1064"


class IllegalTransition(DomainError):
    """A state machine was given an event that its state does not allow."""

    def __init__(self, what: str, state: str, event: str) -> None:
        super().__init__(f"a {what} in state {state} cannot take {event}")
        self.what = what
        self.state = state
        self.event = event


class LinkTokenRefused(DomainError):
    """LINK-01: the token is expired or bound to another HIP, ABHA address or ABHA number."""

    code = "ABDM-1026"


class KeyMaterialRefused(DomainError):
    """REL-14, REL-15: algorithm, curve, point, nonce or expiry of the requester's key material is unusable."""

    code = "ABDM-1006"


class UnsafeUrl(DomainError):
    """PUSH-04: the dataPushUrl must not be called."""

    code = "ABDM-1006"


class PushRefused(DomainError):
    """PUSH-06: the requester refused a page for good. ``status`` is its HTTP status."""

    def __init__(self, *, status: int) -> None:
        super().__init__(f"the requester refused the page with HTTP {status}")
        self.status = status


class Unsealable(DomainError):
    """A value at rest does not open: unknown key, changed bytes, or another record's (DATA-01)."""


class OtpNotSent(DomainError):
    """OTP-01: no provider is set, or it did not take the message."""

    code = "ABDM-1004"


class GatewayRefused(DomainError):
    """The gateway refused ``call`` with ``code`` (contract §1.10, §1.11). ``status`` is its HTTP status."""

    def __init__(self, *, call: str, code: str, status: int, text: str = "") -> None:
        super().__init__(f"{call} was refused with {code} (HTTP {status})", code=code)
        self.call = call
        self.status = status
        self.text = text


class Transient(HipError):
    """Another try later may succeed. ``retry_after`` is the other side's wish, when it stated one.

    ``counted`` is False for what uses up no try of the work that met it.
    """

    counted = True

    def __init__(self, message: str, *, retry_after: timedelta | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.code = code


class StorageFailed(Transient):
    """A store or the queue did not answer, or broke off. The transaction is undone."""


class Waiting(Transient):
    """No failure: something else has to come first, and whatever ends it hurries what waits."""

    counted = False


NOT_SENT = "not-sent"
"""Code of a call that certainly did not leave: repeating it cannot be felt twice, and it counts against no quota."""


NO_SESSION = "no-session"
"""Code of a call that did not leave because the gateway gave us no session for it."""

NO_SESSION_FOR_CLOCK = "no-session-clock"
"""The same, because the gateway finds the TIMESTAMP of that call wrong."""

WRONG_CLOCK = frozenset({"ABDM-1016", "ABDM-2402", NO_SESSION_FOR_CLOCK})
"""By these the gateway says that our clock, or its own, is wrong (contract §1.2)."""

SESSIONS = "sessions"
"""The call by which a session is asked for, before the one that is wanted."""

UNSENT = frozenset({NOT_SENT, NO_SESSION, NO_SESSION_FOR_CLOCK})


class CircuitOpen(Transient):
    """The host failed too often in a row: the call was not made. ``retry_after`` is when one may be tried again."""

    counted = False

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message, retry_after=retry_after, code=NOT_SENT)


class SessionRefused(Transient):
    """HTTP 401: the session token was dropped; one more try under a fresh REQUEST-ID is due (contract §1.5)."""

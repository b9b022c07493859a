"""Every wait, window and back-off in one place, so that one scale (HIP_WAIT_SCALE) can shorten them all."""

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Durations as the service uses them, already scaled."""

    lease: timedelta = timedelta(seconds=30)
    """How long a worker holds an outbox row before another may take it; renewed by heartbeat (design.md)."""

    heartbeat: timedelta = timedelta(seconds=10)
    """A third of the lease: two beats may be lost."""

    poll: timedelta = timedelta(seconds=1)
    """How long the relay sleeps when nothing wakes it."""

    answer: timedelta = timedelta(minutes=10)
    """Silence after an accepted call becomes ``unanswered`` (contract §6, 1)."""

    under_way: timedelta = timedelta(minutes=5)
    """A call without a reply may still be on its way for so long: session and call, each within its longest timeout."""

    gather: timedelta = timedelta(seconds=1)
    """How long documents may be left to gather, so that many share a job."""

    late_results: timedelta = timedelta(minutes=1)
    """Between two looks for laboratory results that came after their visit was read."""

    first_retry: timedelta = timedelta(seconds=2)
    longest_retry: timedelta = timedelta(minutes=10)
    """Exponential back-off between these two, with jitter (contract §1.10)."""

    before_first_push: timedelta = timedelta(seconds=1)
    """The requester learns its transaction only from its own on-request callback (contract §2.10)."""

    push_retries: tuple[timedelta, ...] = tuple(timedelta(seconds=s) for s in (2, 5, 15, 60))
    """After a 400 or 404 of the requester (contract §2.10); the last one repeats."""

    turn: timedelta = timedelta(seconds=15)
    """How long a transfer that waits for its turn sleeps when nobody hurries it."""

    on_notify: timedelta = timedelta(seconds=60)
    """REL-20: a consent that is acknowledged later than this after its callback is cause for alarm."""

    notify_after_link: timedelta = timedelta(seconds=5)
    notify_retries: tuple[timedelta, ...] = tuple(timedelta(seconds=s) for s in (5, 15, 60))
    """A context notify fails in the first seconds after a link, with ABDM-1006 (contract §2.3)."""

    throttled: timedelta = timedelta(seconds=60)
    """The least wait after a callback that says too many requests, or that the gateway failed (contract §1.10)."""

    duplicate_window: timedelta = timedelta(seconds=75)
    """A token request is remembered for at least 69 s, also when it was refused: sooner it meets ABDM-1092."""

    lost: timedelta = timedelta(minutes=15)
    """What waits for work and has not changed for so long must have its outbox row; an answer is given up sooner."""

    otp_unasked: timedelta = timedelta(hours=24)
    """A confirm counts by when it came, and may be read late: so long after its OTP's end an attempt is given up."""

    transfer_deadline: timedelta = timedelta(minutes=20)
    """PUSH-07."""

    entry_kept: timedelta = timedelta(minutes=10)
    """How long an entry that is left to be fetched can be fetched (contract §2.11)."""

    key_validity: timedelta = timedelta(hours=24)
    """Expiry we state for our own public key (contract §3.4)."""

    token_quota: timedelta = timedelta(hours=24)
    """LINK-02: the span in which at most three link tokens are asked for."""

    @classmethod
    def scaled(cls, scale: float) -> Self:
        """All waits times ``scale``; what others were told of in so many minutes stays, for it is no wait of ours."""
        kept = {"entry_kept", "key_validity", "token_quota", "transfer_deadline", "on_notify"}
        changes: dict[str, object] = {}
        whole = cls()
        for field in fields(cls):
            value = getattr(whole, field.name)
            if field.name in kept:
                continue
            changes[field.name] = tuple(v * scale for v in value) if isinstance(value, tuple) else value * scale
        # A lease shorter than a slow machine's hiccup would be given out twice for no reason.
        changes["lease"] = max(whole.lease * scale, timedelta(seconds=1.5))
        changes["heartbeat"] = changes["lease"] / 3  # type: ignore[operator]
        # The timeouts of HTTP are not scaled; a call taken for lost too early would be given up while it is answered.
        changes["under_way"] = max(whole.under_way * scale, timedelta(seconds=5))
        # The answer of a call that may be under way is given up before anybody looks for the row it waits in.
        changes["lost"] = max(whole.lost * scale, 2 * changes["under_way"])  # type: ignore[operator]
        changes["poll"] = max(whole.poll * scale, timedelta(milliseconds=50))
        return cls(**changes)  # type: ignore[arg-type]

    def backoff(self, attempt: int, *, jitter: float) -> timedelta:
        """The wait after the ``attempt``-th failure (from 1); ``jitter`` in 0..1 spreads it over ± 50 %."""
        whole: timedelta = min(self.first_retry * (1 << min(attempt - 1, 20)), self.longest_retry)
        return whole * (0.5 + jitter)

    def push_retry(self, attempt: int) -> timedelta:
        """The wait after the ``attempt``-th push (from 1) of a page that met 400 or 404."""
        return self.push_retries[min(attempt, len(self.push_retries)) - 1]

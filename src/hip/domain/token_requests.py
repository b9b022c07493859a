"""When a link token may be asked for: three requests a day, never into a refusal that would only repeat itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from hip.domain.exchanges import Exchange, Outcome

REQUESTS_PER_DAY = 3
"""LINK-02: the gateway blocks the patient for 24 hours at the fourth, so it is refused here."""

BLOCKED = "ABDM-1027"
DUPLICATE = "ABDM-1092"

FOR_THE_DESK = frozenset({"ABDM-1013", "ABDM-1023", "ABDM-1036", "ABDM-1043", "ABDM-1051", "ABDM-1207", "ABDM-9999"})
"""The gateway does not know this person by these demographics: the same again costs one of three tries for nothing."""

PASSING = frozenset({DUPLICATE, "ABDM-1019", "ABDM-1022", "ABDM-1024", "ABDM-1048", "ABDM-2429"})
"""Refusals that say nothing about the patient: asked again by itself, after the duplicate window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTurn:
    """Whether to ask now: not at all when ``refused`` (a code), later when ``not_before`` (UTC), else at once."""

    refused: str | None = None
    not_before: datetime | None = None

    @classmethod
    def after(
        cls,
        latest: Exchange | None,
        *,
        payload: str,
        asked: int,
        now: datetime,
        window: timedelta,
        quota: timedelta,
    ) -> Self:
        """The turn after the ``latest`` conversation about this patient (contract §2.1).

        ``payload`` is the hash of what would be said; ``asked`` counts attempts within ``quota``. A conversation that
        still waits is neither refused nor delayed: whoever holds it finds out what became of it.
        """
        if latest is not None and latest.outcome in (Outcome.SENT, Outcome.ACCEPTED):
            return cls()
        # What never left tells nothing about the patient, and the gateway remembers nothing of it.
        arrived = [attempt for attempt in latest.attempts if attempt.may_have_arrived] if latest is not None else []
        last = arrived[-1] if arrived else None
        if last is not None and last.code == BLOCKED and now < (last.answered_at or last.sent_at) + quota:
            return cls(refused=BLOCKED)
        if last is not None and last.code in FOR_THE_DESK and last.payload == payload:
            return cls(refused=last.code)
        if asked >= REQUESTS_PER_DAY:
            return cls(refused=BLOCKED)
        if last is not None and now < last.sent_at + window:
            return cls(not_before=last.sent_at + window)
        return cls()

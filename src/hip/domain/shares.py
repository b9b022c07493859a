"""Scan and share: a patient shows a profile at a counter and gets a place in its queue (contract §2.8, test 701)."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from typing import Self

from hip.domain.errors import DomainError
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, RequestId
from hip.domain.patients import Address, Gender

PROFILE_SHARE = "PROFILE_SHARE"
"""The one intent that this service has an answer to; RECORD_SHARE and PAYMENT_SHARE exist besides."""

TOKEN_LIFE = timedelta(minutes=30)
"""How long a queue token holds; a second scan within it gets the same one."""

INDIA = timezone(timedelta(hours=5, minutes=30))
"""Queues begin anew at midnight of the counter, not of UTC."""


class ShareRefused(DomainError):
    """The profile is not taken; ``code`` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedProfile:
    """What the patient's app says of the patient. Birth month and day are None where it left them out."""

    abha_address: AbhaAddress
    abha_number: AbhaNumber | None
    name: str = field(repr=False)
    gender: Gender
    birth_year: int
    birth_month: int | None = None
    birth_day: int | None = None
    phone: str | None = field(default=None, repr=False)
    address: Address | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueToken:
    """A place in a counter's queue; numbers run from 1 for each counter and Indian day.

    ``counter`` is the ``context`` of the scanned code. ``profile`` is None once the patient closed the account.
    Times are UTC.
    """

    hip_id: HipId
    counter: str
    day: date
    number: int
    abha_address: AbhaAddress
    profile: SharedProfile | None
    request_id: RequestId
    issued_at: datetime
    expires_at: datetime

    @classmethod
    def issue(
        cls, profile: SharedProfile, *, hip_id: HipId, counter: str, number: int, request_id: RequestId, now: datetime
    ) -> Self:
        """The next place, from now on."""
        return cls(
            hip_id=hip_id,
            counter=counter,
            day=queue_day(now),
            number=number,
            abha_address=profile.abha_address,
            profile=profile,
            request_id=request_id,
            issued_at=now,
            expires_at=now + TOKEN_LIFE,
        )

    @property
    def text(self) -> str:
        """As the patient sees it: four digits at least."""
        return f"{self.number:04d}"

    def seconds_left(self, now: datetime) -> int:
        """Whole seconds until it is void, 0 at least."""
        return max(0, int((self.expires_at - now).total_seconds()))


def queue_day(now: datetime) -> date:
    """The Indian day of a moment."""
    return now.astimezone(INDIA).date()

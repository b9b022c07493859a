"""What the relay looks for by our own clock, for nobody may ever tell: spent consents, OTPs, transfers that drag,
callbacks that nobody reads, a clock that the gateway finds wrong.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from hip.application.consent_ends import end_consent
from hip.application.last_alarms import LastAlarms
from hip.application.ports import Alarm, Clock
from hip.application.storage import Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.consents import ConsentStatus, SignatureState
from hip.domain.errors import WRONG_CLOCK
from hip.domain.link_attempts import WRONG_OTP

_AT_ONCE = 50
_LATELY = timedelta(minutes=10)
_SEVERAL = 2
_ONE_MINUTE = timedelta(minutes=1)

Sweep = Callable[[], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class SweepAll:
    """Every sweep, one after another."""

    sweeps: tuple[Sweep, ...]

    async def __call__(self) -> int:
        """How much was found in all."""
        return sum([await sweep() for sweep in self.sweeps])


@dataclass(frozen=True, slots=True)
class SweepConsents:
    """REL-04: what ``dataEraseAt`` has ended is ended here, as if EXPIRED had been notified."""

    units: Units
    clock: Clock

    async def __call__(self) -> int:
        """How many consents expired."""
        now = self.clock()
        async with self.units() as uow:
            spent = await uow.consents.spent(now=now, limit=_AT_ONCE)
            for consent in spent:
                expired = consent.receive(
                    ConsentStatus.EXPIRED,
                    artefact=None,
                    artefact_hash=None,
                    signature_state=SignatureState.ABSENT,
                    now=now,
                )
                await end_consent(uow, consent, expired)
                await uow.audit.append(
                    AuditEntry(
                        hip_id=consent.hip_id,
                        at=now,
                        actor="clock",
                        action="consent-expired",
                        subject=consent.consent_id,
                        detail=(("stored", expired.status),),
                    )
                )
            if spent:
                await uow.commit()
        return len(spent)


@dataclass(frozen=True, slots=True)
class SweepOtps:
    """A linking whose OTP nobody typed in is shown as failed, instead of as waiting for ever."""

    units: Units
    clock: Clock
    waits: Waits

    async def __call__(self) -> int:
        """How many linkings were given up."""
        now = self.clock()
        async with self.units() as uow:
            lapsed = await uow.link_attempts.lapsed(before=now - self.waits.otp_unasked, limit=_AT_ONCE)
            for attempt in lapsed:
                await uow.link_attempts.save(attempt.fail(WRONG_OTP, now=now))
                await uow.audit.append(
                    AuditEntry(
                        hip_id=attempt.hip_id, at=now, actor="clock", action="otp-lapsed", subject=attempt.reference
                    )
                )
            if lapsed:
                await uow.commit()
        return len(lapsed)


@dataclass(frozen=True, slots=True)
class SweepDeadlines:
    """PUSH-07: somebody is told once when half of a transfer's time is over, and once more at four fifths."""

    units: Units
    clock: Clock
    alarm: Alarm

    async def __call__(self) -> int:
        """How many transfers an alert went out for."""
        now = self.clock()
        async with self.units() as uow:
            late = [transfer.alert(now=now) for transfer in await uow.transfers.alerting(now=now, limit=_AT_ONCE)]
            for transfer in late:
                await uow.transfers.save(transfer)
                await uow.audit.append(
                    AuditEntry(
                        hip_id=transfer.hip_id,
                        at=now,
                        actor="clock",
                        action="transfer-late",
                        subject=transfer.transaction_id,
                        detail=(("percent", str(transfer.alerted)), ("state", transfer.state)),
                    )
                )
            if late:
                await uow.commit()
        for transfer in late:
            share = f"{transfer.alerted}%"
            self.alarm("transfer-late", hip_id=transfer.hip_id, subject=transfer.transaction_id, detail=share)
        return len(late)


@dataclass(frozen=True, slots=True)
class SweepCallbacks:
    """REL-20: a consent must be acknowledged within 60 s, so a callback that nobody reads for so long is told of.

    Also when no worker runs at all. Told again each 60 s for as long as it lasts.
    """

    units: Units
    clock: Clock
    waits: Waits
    alarm: Alarm
    _told: LastAlarms = field(default_factory=LastAlarms, repr=False)

    async def __call__(self) -> int:
        """For how many HIPs an alarm went out."""
        now = self.clock()
        async with self.units() as uow:
            oldest = await uow.callbacks.overdue(before=now - self.waits.on_notify)
        told = 0
        for callback in oldest:
            if self._told.due(callback.hip_id, now=now, every=self.waits.on_notify):
                self._told.note(callback.hip_id, callback.id, now=now)
                waited = f"{(now - callback.received_at).total_seconds():.0f}s"
                self.alarm("callbacks-unread", hip_id=callback.hip_id, subject=callback.id, detail=waited)
                told += 1
        return told


@dataclass(frozen=True, slots=True)
class SweepClock:
    """The gateway refused several calls for their TIMESTAMP: a clock is wrong, ours most likely (contract §1.2).

    One refusal alone may be a call that was long under way. Told at most once a minute for each HIP, and only when one
    more has come, so that it ends when the clock is right.
    """

    units: Units
    clock: Clock
    alarm: Alarm
    _told: LastAlarms = field(default_factory=LastAlarms, repr=False)

    async def __call__(self) -> int:
        """For how many HIPs an alarm went out."""
        now, told = self.clock(), 0
        async with self.units() as uow:
            refused = await uow.exchanges.refused_lately(WRONG_CLOCK, since=now - _LATELY)
        for each in refused:
            if each.times < _SEVERAL or self._told.was_about(each.hip_id, each.last):
                continue
            if not self._told.due(each.hip_id, now=now, every=_ONE_MINUTE):
                continue
            self._told.note(each.hip_id, each.last, now=now)
            self.alarm("clock-refused", hip_id=each.hip_id, subject=each.last, detail=f"{each.times} refusals")
            told += 1
        return told

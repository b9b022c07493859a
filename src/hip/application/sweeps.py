"""What the relay looks for by our own clock, for nobody may ever tell: spent consents, OTPs, transfers that drag."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hip.application.consent_ends import end_consent
from hip.application.ports import Alarm, Clock
from hip.application.storage import Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.consents import ConsentStatus, SignatureState
from hip.domain.link_attempts import WRONG_OTP

_AT_ONCE = 50

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

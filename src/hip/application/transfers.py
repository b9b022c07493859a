"""Flow: a transfer, resumable at every step: on-request → plan → pages → notify (contract §2.10–2.12).

State is saved after each step and after each page, the gate is asked again before each page, and whatever is run
twice is harmless: a repeat of a page may reach the requester, a second account of the transfer may not differ.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from hip.application.conversations import Conversations
from hip.application.gateway_calls import GatewayError, HealthInformationOnRequest
from hip.application.notifies import NotifyTransfer
from hip.application.page_books import PageBooks
from hip.application.pages import PageRun, Stopped
from hip.application.ports import Alarm, Bundles, Clock, Pusher, Sealer
from hip.application.release import ReleaseGate
from hip.application.storage import Topic, UnitOfWork, Units
from hip.application.unsent_contexts import accountable, add_refused
from hip.application.waiting_entries import LeaveEntries
from hip.application.waits import Waits
from hip.application.work import Handler
from hip.domain.audit import AuditEntry
from hip.domain.decisions import Decision, Verdict
from hip.domain.errors import Transient, Waiting
from hip.domain.exchanges import Outcome
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.transfers import Transfer, TransferState

_BEFORE_ITS_END = (TransferState.REQUESTED, TransferState.ACKNOWLEDGED, TransferState.PUSHING)


@dataclass(frozen=True, slots=True)
class PushTransfer:
    units: Units
    conversations: Conversations
    notify: NotifyTransfer
    gate: ReleaseGate
    bundles: Bundles
    build: Handler
    sealer: Sealer
    pusher: Pusher
    clock: Clock
    waits: Waits
    alarm: Alarm
    parallel: int
    checksum: Callable[[bytes], str]
    jitter: Callable[[], float]
    leave: LeaveEntries

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """Run the transfer ``key`` (its transaction id) as far as it goes.

        Raises Transient to be run again later, Waiting while the consent's on-notify or an earlier request on the
        same consent comes first.
        """
        transfer = await self._start(hip_id, TransactionId(key))
        if transfer is None:
            return
        if transfer.state is TransferState.REQUESTED:
            transfer = await self._acknowledge(transfer)
        if transfer.state in (TransferState.ACKNOWLEDGED, TransferState.PUSHING):
            await self._await_turn(transfer)
        if transfer.state is TransferState.ACKNOWLEDGED:
            transfer = await self._plan(transfer)
        if transfer.state is TransferState.PUSHING:
            transfer = await self._push(transfer)
        if transfer.state is TransferState.NOTIFYING:
            await self.notify(hip_id, transfer.transaction_id)

    async def _start(self, hip_id: HipId, transaction_id: TransactionId) -> Transfer | None:
        async with self.units() as uow:
            transfer = await uow.transfers.lock(hip_id, transaction_id)
            if transfer is None or transfer.state in (TransferState.DONE, TransferState.DEAD):
                return None
            transfer = transfer.attempt(now=self.clock())
            await uow.transfers.save(transfer)
            await uow.commit()
        return transfer

    async def _acknowledge(self, transfer: Transfer) -> Transfer:
        """Decide, and tell the gateway: ACKNOWLEDGED, or the first rule that refuses (REL-23)."""
        hip_id, now = transfer.hip_id, self.clock()
        async with self.units() as uow:
            decision, consent = await self.gate.request(uow, transfer, now=now)
        if decision.waits and now < transfer.deadline:
            raise Waiting(
                "REL-20: the consent's on-notify has not been accepted yet", retry_after=self._until(transfer, now=now)
            )
        refusal = decision.refusal
        code, reason = ("", "") if refusal is None else (refusal.code or "ABDM-9999", refusal.told)
        exchange = await self.conversations.hold(
            HealthInformationOnRequest(
                transaction_id=transfer.transaction_id,
                answers=transfer.request_id,
                error=None if refusal is None else GatewayError(code=code, message=refusal.reason),
            ),
            hip_id=hip_id,
        )
        if exchange.outcome is Outcome.REFUSED and not code:
            code = exchange.attempts[-1].code or "ABDM-9999"
            reason = "the gateway refused our acknowledgement"
        async with self.units() as uow:
            current = await uow.transfers.lock(hip_id, transfer.transaction_id) or transfer
            if current.state is not TransferState.REQUESTED:
                return current
            if code and consent is not None:
                await add_refused(uow, current, consent, reason)
            # Of a consent that is unknown, or was over when the request came, no care context is known to account for.
            current = (
                current.refuse(code, reason, notify=await accountable(uow, current), now=self.clock())
                if code
                else current.acknowledge(now=self.clock())
            )
            await uow.transfers.save(current)
            await uow.decisions.append(decision)
            if code:
                await self._hurry_others(uow, current)
            await self._write_down(uow, current, decision, reason)
            await uow.commit()
        self._raise_alarms(decision)
        if not code:
            await asyncio.sleep(self.waits.before_first_push.total_seconds())
        return current

    async def _write_down(self, uow: UnitOfWork, transfer: Transfer, decision: Decision, reason: str) -> None:
        entry = AuditEntry(
            hip_id=transfer.hip_id,
            at=self.clock(),
            actor="worker",
            action="release-decided",
            subject=transfer.transaction_id,
            detail=(("verdict", "refused" if reason else "permitted"), ("reason", reason)),
        )
        await uow.audit.append(entry)
        if not reason and _breaks_the_glass(decision):
            # REL-13: whoever reads the audit must find why this release went around the patient's usual say.
            await uow.audit.append(
                AuditEntry(
                    hip_id=transfer.hip_id,
                    at=self.clock(),
                    actor="worker",
                    action="break-the-glass",
                    subject=transfer.transaction_id,
                    detail=(
                        ("consent", transfer.consent_id),
                        ("requester", decision.requester or ""),
                        ("reason", "the consent's purpose is BTG"),
                    ),
                )
            )

    def _raise_alarms(self, decision: Decision) -> None:
        subject = decision.transaction_id or decision.consent_id
        if decision.permitted and _breaks_the_glass(decision):
            self.alarm("break-the-glass", hip_id=decision.hip_id, subject=subject, detail="REL-13")
        if decision.patient is not None and any(result.rule == "REL-19" for result in decision.refusals):
            self.alarm("artefact-changed", hip_id=decision.hip_id, subject=subject, detail="REL-19")

    async def _await_turn(self, transfer: Transfer) -> None:
        """One request on a consent runs at a time, the oldest first; each has been answered by now.

        Past its deadline a transfer waits for nobody: it ends. Raises Waiting.
        """
        now = self.clock()
        if now >= transfer.deadline:
            return
        async with self.units() as uow:
            others = await uow.transfers.open_of_consent(transfer.hip_id, transfer.consent_id)
        if any(_goes_before(other, transfer) for other in others):
            raise Waiting("an earlier request on this consent comes first", retry_after=self._until(transfer, now=now))

    async def _plan(self, transfer: Transfer) -> Transfer:
        hip_id, transaction_id, now = transfer.hip_id, transfer.transaction_id, self.clock()
        async with self.units() as uow:
            consent = await uow.consents.lock(hip_id, transfer.consent_id)
            current = await uow.transfers.lock(hip_id, transaction_id) or transfer
            if current.state is not TransferState.ACKNOWLEDGED:
                return current
            plan = await self.gate.plan(uow, current, consent, now=now)
            current = current.plan(plan.pushes, now=now)
            if plan.refusal is not None:
                current = current.finish((), now=now, reason=plan.refusal.told)
                await self._hurry_others(uow, current)
            await uow.transfers.save(current)
            await uow.commit()
        return current

    async def _push(self, transfer: Transfer) -> Transfer:
        run = PageRun(
            transfer=transfer,
            units=self.units,
            books=PageBooks(transfer=transfer, units=self.units, gate=self.gate, clock=self.clock),
            bundles=self.bundles,
            build=self.build,
            sealer=self.sealer,
            pusher=self.pusher,
            clock=self.clock,
            waits=self.waits,
            alarm=self.alarm,
            parallel=self.parallel,
            checksum=self.checksum,
            jitter=self.jitter,
            leave=self.leave,
        )
        try:
            await run()
        except Stopped as stopped:
            return await self._finish(transfer, stopped.reason)
        except Transient as failure:
            # A consent that ended while the last pages were failing must not wait for their next try.
            if (reason := await self._stopped_by(transfer)) is not None:
                return await self._finish(transfer, reason)
            left = max(transfer.deadline - self.clock(), timedelta(0))
            wait = failure.retry_after or self.waits.backoff(transfer.attempts, jitter=self.jitter())
            raise Transient(str(failure), retry_after=min(wait, left), code=failure.code) from None
        return await self._finish(transfer, None)

    async def _stopped_by(self, transfer: Transfer) -> str | None:
        now = self.clock()
        async with self.units() as uow:
            consent = await uow.consents.lock(transfer.hip_id, transfer.consent_id)
            decision = self.gate.again(transfer, consent, now=now)
            if decision.refusal is None:
                return None
            await uow.decisions.append(decision)
            await uow.commit()
        return decision.refusal.told

    async def _finish(self, transfer: Transfer, reason: str | None) -> Transfer:
        hip_id, transaction_id, now = transfer.hip_id, transfer.transaction_id, self.clock()
        async with self.units() as uow:
            current = await uow.transfers.lock(hip_id, transaction_id) or transfer
            if current.state is not TransferState.PUSHING:
                return current
            if reason is not None:
                await uow.transfers.close_pages(hip_id, transaction_id, reason, now=now)
            current = current.finish(await uow.transfers.pages(hip_id, transaction_id), now=now, reason=reason)
            await uow.transfers.save(current)
            await self._hurry_others(uow, current)
            await uow.commit()
        return current

    async def _hurry_others(self, uow: UnitOfWork, ended: Transfer) -> None:
        """Whoever waited for this one to end may look again."""
        for other in await uow.transfers.open_of_consent(ended.hip_id, ended.consent_id):
            if other.transaction_id != ended.transaction_id:
                await uow.outbox.hurry(ended.hip_id, Topic.TRANSFER, other.transaction_id, run_at=self.clock())

    def _until(self, transfer: Transfer, *, now: datetime) -> timedelta:
        return min(self.waits.turn, max(transfer.deadline - now, timedelta(0)))


def _goes_before(other: Transfer, transfer: Transfer) -> bool:
    """The older goes first; one that has pages under way is let finish its run by those that have none yet."""
    if other.transaction_id == transfer.transaction_id or other.state not in _BEFORE_ITS_END:
        return False
    older = (other.requested_at, other.transaction_id) < (transfer.requested_at, transfer.transaction_id)
    return older or (other.state is TransferState.PUSHING and transfer.state is not TransferState.PUSHING)


def _breaks_the_glass(decision: Decision) -> bool:
    return any(result.rule == "REL-13" and result.verdict is Verdict.WARN for result in decision.results)

"""Flow: a transfer, resumable at every step: on-request → plan → pages → notify (contract §2.10–2.12).

State is saved after each step and after each page, the gate is asked again before each page, and whatever is run
twice is harmless: a repeat of a page may reach the requester, a second account of the transfer may not differ.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from hip.application.conversations import Conversations
from hip.application.messages import GatewayError, HealthInformationOnRequest
from hip.application.notifies import NotifyTransfer
from hip.application.ports import Bundles, Clock, PushedPage, Pusher, Sealer
from hip.application.release import ReleaseGate
from hip.application.storage import UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.audit import AuditEntry
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.errors import KeyMaterialRefused, PushRefused, Transient, UnsafeUrl
from hip.domain.exchanges import Outcome
from hip.domain.identifiers import HipId, TransactionId
from hip.domain.transfers import Page, PageState, Transfer, TransferState

_PAGES_AT_ONCE = 64
"""How many page rows are read at a time: memory stays flat for any number of care contexts."""

NOT_YET_KNOWN = frozenset({"400", "404"})
"""The requester may not know the transaction yet (contract §2.10)."""


class Stopped(Exception):
    """The gate said no in the middle of a transfer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class PushTransfer:
    units: Units
    conversations: Conversations
    notify: NotifyTransfer
    gate: ReleaseGate
    bundles: Bundles
    sealer: Sealer
    pusher: Pusher
    clock: Clock
    waits: Waits
    parallel: int
    checksum: Callable[[bytes], str]
    jitter: Callable[[], float]

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """Run the transfer ``key`` (its transaction id) as far as it goes. Raises Transient to be run again later."""
        transfer = await self._start(hip_id, TransactionId(key))
        if transfer is None:
            return
        if transfer.state is TransferState.REQUESTED:
            transfer = await self._acknowledge(transfer)
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
            consent = await uow.consents.get(hip_id, transfer.consent_id)
        refusals = list(self.gate.request(transfer, consent, now=now))
        try:
            self.pusher.check(transfer.request.data_push_url)
        except UnsafeUrl as refusal:
            code, reason = refusal.code, "PUSH-04: the push address must not be called"
        else:
            code, reason = (refusals[0].code, f"{refusals[0].rule}: {refusals[0].reason}") if refusals else ("", "")
        if not code and consent is not None and consent.acknowledged_at is None:
            raise Transient("REL-20: the consent's on-notify has not been accepted yet")
        exchange = await self.conversations.hold(
            HealthInformationOnRequest(
                transaction_id=transfer.transaction_id,
                answers=transfer.request_id,
                error=GatewayError(code=code, message=reason.partition(": ")[2]) if code else None,
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
            # An unknown consent cannot be accounted for: the notify would name care contexts nobody told us of.
            current = (
                current.refuse(code, reason, notify=consent is not None, now=self.clock())
                if code
                else current.acknowledge(now=self.clock())
            )
            await uow.transfers.save(current)
            if code and consent is not None:
                await uow.transfers.add_pages(self.gate.refused_pages(current, consent, reason))
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=self.clock(),
                    actor="worker",
                    action="release-decided",
                    subject=transfer.transaction_id,
                    detail=(("verdict", "refused" if code else "permitted"), ("reason", reason)),
                )
            )
            await uow.commit()
        if not code:
            await asyncio.sleep(self.waits.before_first_push.total_seconds())
        return current

    async def _plan(self, transfer: Transfer) -> Transfer:
        hip_id, transaction_id = transfer.hip_id, transfer.transaction_id
        async with self.units() as uow:
            current = await uow.transfers.lock(hip_id, transaction_id) or transfer
            consent = await uow.consents.get(hip_id, current.consent_id)
            if current.state is not TransferState.ACKNOWLEDGED:
                return current
            pages = await self.gate.plan(uow, current, consent) if consent is not None else ()
            await uow.transfers.add_pages(pages)
            current = current.plan(sum(page.state is PageState.PENDING for page in pages), now=self.clock())
            await uow.transfers.save(current)
            await uow.commit()
        return current

    async def _push(self, transfer: Transfer) -> Transfer:
        reason: str | None = None
        try:
            while True:
                async with self.units() as uow:
                    pages = await uow.transfers.pending_pages(
                        transfer.hip_id, transfer.transaction_id, limit=_PAGES_AT_ONCE
                    )
                if not pages:
                    break
                await self._push_all(transfer, pages)
        except Stopped as stopped:
            reason = stopped.reason
        async with self.units() as uow:
            current = await uow.transfers.lock(transfer.hip_id, transfer.transaction_id) or transfer
            if current.state is not TransferState.PUSHING:
                return current
            pages = await uow.transfers.pages(transfer.hip_id, transfer.transaction_id)
            if reason is not None:
                pages = [page.errored(reason, now=self.clock()) for page in pages]
                for page in pages:
                    await uow.transfers.save_page(page)
            current = current.finish(pages, now=self.clock(), reason=reason)
            await uow.transfers.save(current)
            await uow.commit()
        return current

    async def _push_all(self, transfer: Transfer, pages: Sequence[Page]) -> None:
        """At most ``parallel`` pages in flight. Raises Stopped or Transient only when those in flight have ended."""
        waiting, failures, stops = iter(pages), list[Transient](), list[Stopped]()

        async def carry() -> None:
            for page in waiting:
                if stops:
                    return
                try:
                    await self._push_page(transfer, page)
                except Transient as failure:
                    failures.append(failure)
                except Stopped as stopped:
                    stops.append(stopped)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.parallel, len(pages))):
                group.create_task(carry())
        if stops:
            raise stops[0]
        if failures:
            raise max(failures, key=lambda failure: failure.retry_after or timedelta(0))

    async def _push_page(self, transfer: Transfer, page: Page) -> None:
        opened = await self._open_page(transfer, page)
        if opened is None:
            return
        page, record = opened
        content = await self.bundles.get(record.key, record.version)
        if content is None or hashlib.sha256(content).hexdigest() != record.sha256:
            await self._end_page(page, "REL-19: the stored bundle is missing or was changed")
            return
        try:
            sealed = self.sealer.seal(
                [content], peer=transfer.request.key_material, expires_at=self.clock() + self.waits.key_validity
            )
            await self.pusher.push(
                PushedPage(
                    transaction_id=transfer.transaction_id,
                    number=page.number,
                    page_count=transfer.page_count or page.number,
                    references=(page.care_context_reference,),
                    checksums=(self.checksum(content),),
                    sealed=sealed,
                ),
                url=transfer.request.data_push_url,
                hiu_id=None,
            )
        except PushRefused as refusal:
            await self._end_page(page, f"the requester refused it with HTTP {refusal.status}")
        except (UnsafeUrl, KeyMaterialRefused) as refusal:
            await self._end_page(page, str(refusal))
        except Transient as failure:
            await self._push_failed(page, failure)
        else:
            await self._end_page(page, None)

    async def _open_page(self, transfer: Transfer, page: Page) -> tuple[Page, BundleRecord] | None:
        """Ask the gate once more and count the attempt, in one transaction with the consent's row locked (REL-21)."""
        hip_id, now = transfer.hip_id, self.clock()
        async with self.units() as uow:
            consent = await uow.consents.lock(hip_id, transfer.consent_id)
            refusals = self.gate.request(transfer, consent, now=now)
            if refusals:
                raise Stopped(f"{refusals[0].rule}: {refusals[0].reason}")
            if now >= transfer.deadline:
                raise Stopped("PUSH-07: the deadline has passed")
            current = await uow.transfers.lock_page(hip_id, transfer.transaction_id, page.number)
            if current is None or current.state is not PageState.PENDING:
                return None
            current = current.attempted()
            record = await self._servable(uow, current)
            if record is None:
                current = current.errored("REL-22: there is no valid bundle", now=now)
            await uow.transfers.save_page(current)
            await uow.commit()
        return None if record is None else (current, record)

    async def _servable(self, uow: UnitOfWork, page: Page) -> BundleRecord | None:
        if page.visit_code is None or page.hi_type is None:
            return None
        return await uow.bundles.servable(
            BundleKey(hip_id=page.hip_id, visit_code=page.visit_code, hi_type=page.hi_type)
        )

    async def _push_failed(self, page: Page, failure: Transient) -> None:
        if failure.code in NOT_YET_KNOWN:
            if page.attempts > len(self.waits.push_retries):
                await self._end_page(page, f"the requester refused it with HTTP {failure.code}")
                return
            wait = self.waits.push_retry(page.attempts)
        else:
            wait = failure.retry_after or self.waits.backoff(page.attempts, jitter=self.jitter())
        raise Transient(f"page {page.number} was not taken", retry_after=wait, code=failure.code) from None

    async def _end_page(self, page: Page, reason: str | None) -> None:
        async with self.units() as uow:
            current = await uow.transfers.lock_page(page.hip_id, page.transaction_id, page.number) or page
            now = self.clock()
            ended = current.delivered(now=now) if reason is None else current.errored(reason, now=now)
            await uow.transfers.save_page(ended)
            await uow.commit()

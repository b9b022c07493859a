"""Flow: the pages of one transfer, each decided on, sealed and pushed; the gate is asked before each (REL-21)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from hip.application.ports import Alarm, Bundles, Clock, PushedPage, Pusher, Sealer
from hip.application.release import Opened, ReleaseGate
from hip.application.storage import Units
from hip.application.waits import Waits
from hip.application.work import Handler
from hip.domain.audit import AuditEntry
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.decisions import Decision
from hip.domain.errors import DomainError, IllegalTransition, KeyMaterialRefused, PushRefused, Transient, UnsafeUrl
from hip.domain.release_facts import Authority
from hip.domain.transfers import Page, PageState, Transfer

_PAGES_AT_ONCE = 64
"""How many page rows are read at a time: memory stays flat for any number of care contexts."""

_REREADS = 3
"""How often a bundle may be replaced by a newer one while it is being read before the page is left for later."""

NOT_YET_KNOWN = frozenset({"400", "404"})
"""The requester may not know the transaction yet (contract §2.10)."""


_UNAUTHORISED = 401


class Stopped(Exception):
    """The gate said no in the middle of a transfer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Replaced(Exception):
    """A newer bundle was stored while the older one was being read."""


@dataclass(slots=True, kw_only=True)
class PageRun:
    """One worker's run over the pending pages of ``transfer``.

    ``authority`` is the consent as last read: its row is locked and compared before each page, its artefact is read
    again only when something of it changed.
    """

    transfer: Transfer
    units: Units
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
    authority: Authority | None = field(default=None, repr=False)

    async def __call__(self) -> None:
        """Until no page is pending. Raises Stopped, or Transient to go on later; those in flight have ended by then."""
        while True:
            async with self.units() as uow:
                hip_id, transaction_id = self.transfer.hip_id, self.transfer.transaction_id
                pages = await uow.transfers.pending_pages(hip_id, transaction_id, limit=_PAGES_AT_ONCE)
                visits = [page.visit_code for page in pages if page.visit_code is not None]
                servable = {record.key: record for record in await uow.bundles.servable_of(hip_id, visits)}
            if not pages:
                return
            await self._push_all(pages, servable)

    async def _push_all(self, pages: Sequence[Page], servable: Mapping[BundleKey, BundleRecord]) -> None:
        """At most ``parallel`` pages in flight."""
        waiting, failures, stops = iter(pages), list[Transient](), list[Stopped]()

        async def carry() -> None:
            for page in waiting:
                if stops:
                    return
                try:
                    await self._push_page(page, servable.get(_key(page)))
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

    async def _push_page(self, page: Page, record: BundleRecord | None) -> None:
        for _ in range(_REREADS):
            opened = await self._open(page, record)
            try:
                decided = await self._decide(page, opened)
            except Replaced:
                async with self.units() as uow:
                    record = await uow.bundles.servable(_key(page))
                continue
            if decided is not None and opened.content is not None:
                await self._send(decided, opened.content)
            return
        raise Transient(f"the bundle of page {page.number} keeps changing")

    async def _open(self, page: Page, record: BundleRecord | None) -> Opened:
        """The bytes of the page's bundle; one that is missing is built, once, from its visit."""
        content = None if record is None else await self.bundles.get(record.key, record.version)
        if content is not None:
            return Opened(record=record, content=content)
        with suppress(DomainError):  # what cannot be built stays missing, and the gate refuses it
            await self.build(page.hip_id, f"{page.visit_code}|{page.hi_type}")
        async with self.units() as uow:
            record = await uow.bundles.servable(_key(page))
        content = None if record is None else await self.bundles.get(record.key, record.version)
        return Opened(record=record, content=content)

    async def _decide(self, page: Page, opened: Opened) -> Page | None:
        """Ask the gate, write its answer down and count the attempt, in one transaction with the consent's row locked.

        None when this page is not to be pushed. Raises Stopped when nothing more of the transfer may leave.
        """
        transfer, now = self.transfer, self.clock()
        async with self.units() as uow:
            held = self.authority
            consent = (
                await uow.consents.lock(transfer.hip_id, transfer.consent_id)
                if held is None
                else await uow.consents.lock_again(held.consent)
            )
            if consent is None or held is None or consent is not held.consent:
                held = None if consent is None else Authority.of(consent)
                self.authority = held
            current = await uow.transfers.lock_page(transfer.hip_id, transfer.transaction_id, page.number)
            if current is None or current.state is not PageState.PENDING:
                return None
            if opened.record != await uow.bundles.servable(_key(page)):
                raise Replaced
            decision = await self.gate.page(uow, transfer, current, held, opened, now=now)
            await uow.decisions.append(decision)
            if decision.refusal is not None:
                await uow.commit()
                raise Stopped(decision.refusal.told)
            [record] = decision.records
            current = current.attempted()
            if record.refusal is not None:
                current = current.errored(record.refusal.told, now=now)
            await uow.transfers.save_page(current)
            await uow.commit()
        self._raise_alarms(decision)
        return current if record.leaves else None

    def _raise_alarms(self, decision: Decision) -> None:
        """REL-19 and REL-22 mean that something in our own stores is not as we left it."""
        for one in decision.records:
            if one.refusal is not None and one.refusal.rule in ("REL-19", "REL-22"):
                self.alarm(
                    "record-kept-back",
                    hip_id=decision.hip_id,
                    subject=self.transfer.transaction_id,
                    detail=one.refusal.rule,
                )

    async def _send(self, page: Page, content: bytes) -> None:
        transfer = self.transfer
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
            await self._end_page(page, _refused(refusal.status))
        except (UnsafeUrl, KeyMaterialRefused) as refusal:
            await self._end_page(page, str(refusal))
        except Transient as failure:
            await self._push_failed(page, failure)
        else:
            await self._end_page(page, None)

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
            await uow.audit.append(
                AuditEntry(
                    hip_id=page.hip_id,
                    at=now,
                    actor="worker",
                    action=f"page-{ended.state}",
                    subject=page.transaction_id,
                    detail=(
                        ("page", str(page.number)),
                        ("context", page.care_context_reference),
                        ("type", page.hi_type or ""),
                        ("attempts", str(current.attempts)),
                    ),
                )
            )
            await uow.commit()


def _refused(status: int) -> str:
    """The operator decides on 401: a host that wants a token has to be named to get one (contract §2.11)."""
    wants = ": it wants a token, which it is not given" if status == _UNAUTHORISED else ""
    return f"the requester refused it with HTTP {status}{wants}"


def _key(page: Page) -> BundleKey:
    if page.visit_code is None or page.hi_type is None:
        raise IllegalTransition("page", page.state, "a push without a record")
    return BundleKey(hip_id=page.hip_id, visit_code=page.visit_code, hi_type=page.hi_type)

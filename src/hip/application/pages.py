"""Flow: the pages of one transfer, each decided on, sealed and pushed; the gate is asked before each (REL-21)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from hip.application.page_books import Leaving, PageBooks, Replaced, key_of
from hip.application.page_ends import refused_with
from hip.application.ports import Alarm, Bundles, Clock, PushedPage, Pusher, Sealer
from hip.application.release import Opened
from hip.application.storage import Units
from hip.application.waiting_entries import LeaveEntries
from hip.application.waits import Waits
from hip.application.work import Handler
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.decisions import Decision
from hip.domain.errors import CircuitOpen, DomainError, KeyMaterialRefused, PushRefused, Transient, UnsafeUrl
from hip.domain.pages import Page
from hip.domain.paging import by_push
from hip.domain.transfers import Transfer
from hip.domain.waiting_entries import WaitingEntry

_PAGES_AT_ONCE = 64
"""How many page rows are read at a time: memory stays flat for any number of care contexts."""

_REREADS = 3
"""How often a bundle may be replaced by a newer one while it is being read before the page is left for later."""

NOT_YET_KNOWN = frozenset({"400", "404"})
"""The requester may not know the transaction yet (contract §2.10)."""


class Stopped(Exception):
    """The gate said no in the middle of a transfer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class PageRun:
    """One worker's run over the pending pages of ``transfer``, whose ``books`` are asked and told of each."""

    transfer: Transfer
    units: Units
    books: PageBooks
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
            await self._push_all(by_push(pages, cut=len(pages) == _PAGES_AT_ONCE), servable)

    async def _push_all(self, groups: Sequence[Sequence[Page]], servable: Mapping[BundleKey, BundleRecord]) -> None:
        """At most ``parallel`` pushes in flight; the pages of a group share one."""
        waiting, failures, stops = iter(groups), list[Transient](), list[Stopped]()

        async def carry() -> None:
            unsure = True  # whether the host is there: at the beginning, and after each failure
            for group in waiting:
                if stops:
                    return
                try:
                    if unsure:
                        await self._require_host()
                    unsure = False
                    await self._push(group, [servable.get(key_of(page)) for page in group])
                except CircuitOpen as failure:
                    failures.append(failure)
                    return  # nor would the next be sent
                except Transient as failure:
                    failures.append(failure)
                    unsure = True
                except Stopped as stopped:
                    stops.append(stopped)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(self.parallel, len(groups))):
                tasks.create_task(carry())
        if stops:
            raise stops[0]
        if failures:
            raise max(failures, key=lambda failure: failure.retry_after or timedelta(0))

    async def _require_host(self) -> None:
        """Raises CircuitOpen, before a page is decided on and sealed, when nothing would be sent anyway."""
        wait = await self.pusher.away(self.transfer.request.data_push_url)
        if wait is not None:
            raise CircuitOpen("the requester keeps failing", retry_after=wait)

    async def _push(self, group: Sequence[Page], records: Sequence[BundleRecord | None]) -> None:
        for _ in range(_REREADS):
            opened = [await self._open(page, record) for page, record in zip(group, records, strict=True)]
            try:
                leaving = await self._decide(group, opened)
            except Replaced:
                async with self.units() as uow:
                    records = [await uow.bundles.servable(key_of(page)) for page in group]
                continue
            if leaving:
                await self._send(leaving)
            return
        raise Transient(f"the bundle of page {group[0].number} keeps changing")

    async def _open(self, page: Page, record: BundleRecord | None) -> Opened:
        """The bytes of the page's bundle; one that is missing is built, once, from its visit."""
        content = None if record is None else await self.bundles.get(record.key, record.version)
        if content is not None:
            return Opened(record=record, content=content)
        with suppress(DomainError):  # what cannot be built stays missing, and the gate refuses it
            await self.build(page.hip_id, f"{page.visit_code}|{page.hi_type}")
        async with self.units() as uow:
            record = await uow.bundles.servable(key_of(page))
        content = None if record is None else await self.bundles.get(record.key, record.version)
        return Opened(record=record, content=content)

    async def _decide(self, group: Sequence[Page], opened: Sequence[Opened]) -> Sequence[Leaving]:
        """Those that may be pushed, with their bytes. Raises Stopped when nothing more of the transfer may leave."""
        answer = await self.books.decide(group, opened)
        if answer.stopped is not None:
            raise Stopped(answer.stopped)
        for decision in answer.decisions:
            self._raise_alarms(decision)
        return answer.leaving

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

    async def _send(self, leaving: Sequence[Leaving]) -> None:
        transfer, pages = self.transfer, [one.page for one in leaving]
        left: Sequence[WaitingEntry | None] = ()
        try:
            sealed = self.sealer.seal(
                [one.content for one in leaving],
                peer=transfer.request.key_material,
                expires_at=self.clock() + self.waits.key_validity,
            )
            left = await self.leave(transfer, pages, [len(one.content) for one in leaving], sealed.contents)
            await self.pusher.push(
                PushedPage(
                    transaction_id=transfer.transaction_id,
                    number=pages[0].carried_by,
                    page_count=transfer.page_count or pages[0].carried_by,
                    references=tuple(page.care_context_reference for page in pages),
                    checksums=tuple(self.checksum(one.content) for one in leaving),
                    sealed=sealed,
                    links=tuple(None if entry is None else self.leave.link(entry) for entry in left),
                ),
                url=transfer.request.data_push_url,
                hiu_id=None,
            )
        except PushRefused as refusal:
            await self.leave.withdraw(left)
            await self.books.end(pages, refused_with(refusal.status))
        except (UnsafeUrl, KeyMaterialRefused) as refusal:
            await self.leave.withdraw(left)
            await self.books.end(pages, str(refusal))
        except CircuitOpen:
            await self.leave.withdraw(left)
            await self.books.unsent(pages)
            raise
        except Transient as failure:
            await self.leave.withdraw(left)
            await self._push_failed(pages, failure)
        else:
            await self.books.end(pages, None)

    async def _push_failed(self, pages: Sequence[Page], failure: Transient) -> None:
        attempts = max(page.attempts for page in pages)
        if failure.code in NOT_YET_KNOWN:
            if attempts > len(self.waits.push_retries):
                await self.books.end(pages, refused_with(failure.code))
                return
            wait = self.waits.push_retry(attempts)
        else:
            wait = failure.retry_after or self.waits.backoff(attempts, jitter=self.jitter())
        raise Transient(f"page {pages[0].number} was not taken", retry_after=wait, code=failure.code) from None

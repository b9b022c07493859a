"""The relay: due outbox rows → jobs, at least once; and the sweep of conversations nobody answered."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from hip.application.ports import Clock, JobQueue
from hip.application.storage import OutboxRow, Topic, UnitOfWork, Units
from hip.application.waits import Waits
from hip.domain.exchanges import Exchange, Flow
from hip.domain.identifiers import AbhaAddress, VisitCode
from hip.domain.links import LinkRequest, LinkStatus

BATCH = 50
"""Rows in one job: a fork costs 90 ms, so every topic is batched (design.md)."""

LARGE_BATCH = 400
"""Documents in one job: they are built at a millisecond each, so that 50 of them would be half fork."""

FRESH = LARGE_BATCH // 4
"""Of a backlog that one lease cannot empty, so many rows are the newest: after days of standstill the oldest go first,
but a visit of today does not wait for all of them."""

MOST_WAITING = 16
"""Batches that may wait for a worker. What is enqueued beyond what workers reach within a lease is leased again before
anybody looks at it, and a worker that only ever meets such batches does nothing: so the rest waits in the outbox."""

ENOUGH_WAITING = 6
"""From so many on only what somebody outside waits for is handed over: large batches are reached late."""

FEW_WAITING = 4
"""From so many on no back-fill is handed over: what comes in finds a place before it."""

_MOST_PAGES = 200
"""Of conversations that lapse in one sweep: 10,000, after a standstill."""

URGENT = (Topic.CALLBACK, Topic.TRANSFER)

GATHERED = (Topic.BUNDLE, Topic.PROJECTION)
"""What nobody outside waits for may be left for a moment, so that a job has many rows: each job costs a fork."""


def batch_size(topic: Topic) -> int:
    """The most rows of this topic in one job."""
    return LARGE_BATCH if topic is Topic.BUNDLE else BATCH


@dataclass(frozen=True, slots=True)
class RelayOutbox:
    units: Units
    jobs: JobQueue
    clock: Clock
    waits: Waits

    async def __call__(self, *, gathered: bool = True) -> int:
        """Lease what is due and enqueue it, in batches of one topic; how many rows went. None while enough is waiting.

        Without ``gathered`` rows of GATHERED topics are left to gather.

        A crash or a queue failure after the lease costs one lease: the rows come back when it runs out.
        """
        backlog = await self.jobs.backlog()
        if backlog >= MOST_WAITING:
            return 0
        wanted = tuple(topic for topic in Topic if gathered or topic not in GATHERED)
        topics = URGENT if backlog >= ENOUGH_WAITING else wanted
        rows = await self._lease(topics, backfill=backlog < FEW_WAITING)
        alike: dict[tuple[Topic, bool], list[OutboxRow]] = defaultdict(list)
        for row in rows:
            alike[row.topic, row.backfill].append(row)
        for (topic, _), due in alike.items():
            size = batch_size(topic)
            for start in range(0, len(due), size):
                await self.jobs.enqueue(due[start : start + size])
        return len(rows)

    async def _lease(self, topics: Sequence[Topic], *, backfill: bool) -> Sequence[OutboxRow]:
        now = self.clock()
        until = now + self.waits.lease
        async with self.units() as uow:
            oldest = LARGE_BATCH - FRESH
            rows = list(await uow.outbox.lease(now=now, until=until, limit=oldest, topics=topics, backfill=backfill))
            if len(rows) == oldest and not (last := rows[-1]).backfill and last.topic not in URGENT:
                rows += await uow.outbox.lease(now=now, until=until, limit=FRESH, topics=[last.topic], newest=True)
            if rows:
                await uow.commit()
        return rows


@dataclass(frozen=True, slots=True)
class SweepExchanges:
    """Silence in the answer window becomes ``unanswered``, on the exchange and on what waits for it."""

    units: Units
    clock: Clock

    async def __call__(self) -> int:
        """How many lapsed: all there are, for whoever looks for lost work next takes those that are left for lost."""
        total = 0
        for _ in range(_MOST_PAGES):
            lapsed = await self._page()
            total += lapsed
            if lapsed < BATCH:
                break
        return total

    async def _page(self) -> int:
        now = self.clock()
        async with self.units() as uow:
            lapsed = await uow.exchanges.lapsed(now=now, limit=BATCH)
            for exchange in lapsed:
                await uow.exchanges.save(exchange.lapse(now=now))
                for request in await _waiting_for(uow, exchange):
                    await uow.link_requests.save(request.move(LinkStatus.UNANSWERED, now=now, code="no-answer"))
            if lapsed:
                await uow.commit()
        return len(lapsed)


async def _waiting_for(uow: UnitOfWork, exchange: Exchange) -> Sequence[LinkRequest]:
    """The link requests that this conversation keeps from going on."""
    hip_id, key = exchange.hip_id, exchange.business_key
    if exchange.flow is Flow.GENERATE_TOKEN:
        waiting = await uow.link_requests.awaiting_token(hip_id, AbhaAddress(key))
        return [request for request in waiting if request.status is LinkStatus.AWAITING_TOKEN]
    if exchange.flow is Flow.LINK_CARE_CONTEXT:
        batch = await uow.link_requests.led_by(hip_id, VisitCode(key))
        return [request for request in batch if request.status is LinkStatus.REQUESTED]
    if exchange.flow is Flow.SMS_NOTIFY:
        request = await uow.link_requests.lock_by_visit(hip_id, VisitCode(key.partition("|")[0]))
        return [request] if request is not None and request.status is LinkStatus.SMS_REQUESTED else []
    return []

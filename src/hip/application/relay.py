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


MOST_WAITING = 16
"""Batches that may wait for a worker. What is enqueued beyond what workers reach within a lease is leased again before
anybody looks at it, and a worker that only ever meets such batches does nothing: so the rest waits in the outbox."""


@dataclass(frozen=True, slots=True)
class RelayOutbox:
    units: Units
    jobs: JobQueue
    clock: Clock
    waits: Waits

    async def __call__(self) -> int:
        """Lease what is due and enqueue one job per topic; how many rows went. None while enough is waiting.

        A crash or a queue failure after the lease costs one lease: the rows come back when it runs out.
        """
        if await self.jobs.backlog() >= MOST_WAITING:
            return 0
        now = self.clock()
        async with self.units() as uow:
            rows = await uow.outbox.lease(now=now, until=now + self.waits.lease, limit=BATCH)
            if not rows:
                return 0
            await uow.commit()
        by_topic: dict[Topic, list[OutboxRow]] = defaultdict(list)
        for row in rows:
            by_topic[row.topic].append(row)
        for topic_rows in by_topic.values():
            await self.jobs.enqueue(topic_rows)
        return len(rows)


@dataclass(frozen=True, slots=True)
class SweepExchanges:
    """Silence in the answer window becomes ``unanswered``, on the exchange and on what waits for it."""

    units: Units
    clock: Clock

    async def __call__(self) -> int:
        """How many lapsed."""
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

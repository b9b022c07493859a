"""Work whose outbox row is gone is asked for again: once, with a word to the operator and to the audit."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

from dependency_injector.providers import Object
from tests.builders.conversations import a_callback
from tests.builders.flows import HIP, House
from tests.builders.visits import MEERA, a_visit

from hip.application.lost_work_sweep import AT_ONCE, SweepLostWork
from hip.application.relay import BATCH, SweepExchanges
from hip.application.storage import Listing, OutboxRow, Topic
from hip.application.sweeps import SweepAll
from hip.application.waits import Waits
from hip.domain.callbacks import CallbackId, CallbackState
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, PatientReference, RequestId, VisitCode
from hip.domain.links import LinkStatus
from hip.entrypoints.container import adapters_for, opened, use_cases
from hip.entrypoints.demo.stages import settings_of

OURS = {
    "HIP_ENV": "sandbox",
    "HIP_GATEWAY_URL": "http://gateway.sandbox/api/hiecm",
    "HIP_CLIENT_ID": "SBXID_HIP",
    "HIP_CLIENT_SECRET": "secret",
    "HIP_FACILITIES": json.dumps([{"id": HIP, "name": "Clinic"}]),
}


def _sweep(house: House) -> SweepLostWork:
    return SweepLostWork(house.units, house.clock, Waits(), house._alarm)


async def _unread(house: House, count: int) -> None:
    """Callbacks that were stored, and whose rows are gone."""
    async with house.units() as uow:
        for number in range(count):
            callback = a_callback(
                hip_id=HIP,
                id=CallbackId(f"callback-{number}"),
                request_id=RequestId(f"request-{number}"),
                received_at=house.clock(),
            )
            await uow.callbacks.add(callback)
        await uow.commit()


async def _rows(house: House) -> list[OutboxRow]:
    async with house.units() as uow:
        return list(await uow.outbox.lease(now=house.clock(), until=house.clock(), limit=10_000))


def test_a_callback_that_nobody_will_read_is_asked_for_again_after_a_quarter_of_an_hour() -> None:
    async def story() -> None:
        house = House()
        sweep = _sweep(house)
        await _unread(house, 1)
        house.clock.advance(timedelta(minutes=15))
        assert await sweep() == 0
        house.clock.advance(timedelta(seconds=1))
        assert await sweep() == 1
        [row] = await _rows(house)
        assert (row.hip_id, row.topic, row.key) == (HIP, Topic.CALLBACK, "callback-0")
        async with house.units() as uow:
            [entry] = await uow.audit.list(Listing())
        assert (entry.actor, entry.action, entry.subject) == ("clock", "work-asked-again", "callback-0")
        assert dict(entry.detail) == {"waiting": "callback", "topic": "callback", "state": "received"}
        assert house.alarms == [("work-lost", "callback", "1 asked for again")], "a kind and a count, of nobody"

    asyncio.run(story())


def test_more_than_fit_in_one_look_are_found_in_the_same_sweep_and_told_of_in_a_few_lines() -> None:
    async def story() -> None:
        house = House()
        many = 2 * AT_ONCE + 1
        await _unread(house, many)
        house.clock.advance(timedelta(hours=1))
        assert await _sweep(house)() == many
        rows = await _rows(house)
        assert len({row.key for row in rows}) == len(rows) == many
        assert len(house.alarms) == 3

    asyncio.run(story())


def test_what_a_look_passes_by_does_not_hide_what_stands_behind_it() -> None:
    """A backlog of work that has its rows: each sweep looks at the next part of it, and the lost one is reached."""

    async def story() -> None:
        house = House()
        sweep = _sweep(house)
        await _unread(house, AT_ONCE + 1)
        async with house.units() as uow:
            for number in range(AT_ONCE + 1):
                if (key := f"callback-{number}") != max(f"callback-{n}" for n in range(AT_ONCE + 1)):
                    await uow.outbox.add(HIP, Topic.CALLBACK, key, run_at=house.clock())
            await uow.commit()
        house.clock.advance(timedelta(hours=1))
        assert [await sweep() for _ in range(3)] == [0, 1, 0]

    asyncio.run(story())


def test_a_document_that_the_visit_no_longer_needs_is_made_once_and_then_at_rest() -> None:
    """Asked for in version 1 and built when version 2, which does without it, is there: nothing waits for a row."""

    async def story() -> None:
        house = House()
        nobody = replace(MEERA, abha_address=None, abha_number=None, phone=None)
        await house.take_in(a_visit(patient=nobody, hi_types=(HiType.OP_CONSULTATION, HiType.PRESCRIPTION)))
        await house.take_in(a_visit(patient=nobody, hi_types=(HiType.OP_CONSULTATION,)))
        await house.work()
        async with house.units() as uow:
            jobs = await uow.bundle_jobs.of_visit(HIP, VisitCode("88120"))
        assert {job.key.hi_type: job.state.built for job in jobs} == {
            HiType.OP_CONSULTATION: True,
            HiType.PRESCRIPTION: True,
        }
        house.clock.advance(timedelta(hours=1))
        assert await _sweep(house)() == 0
        assert await _rows(house) == []

    asyncio.run(story())


def test_ret_01_a_callback_that_was_cut_before_it_was_run_comes_to_its_end_and_is_not_asked_for_again() -> None:
    async def story() -> None:
        settings = settings_of({**OURS, "HIP_STORAGE": "memory"})
        adapters = adapters_for(settings)
        adapters.clock.override(Object(House().clock))
        clock, units = adapters.clock(), adapters.units()
        async with opened(adapters):
            callback = a_callback(hip_id=HIP, received_at=clock() - timedelta(hours=1))
            async with units() as uow:
                await uow.callbacks.add(callback)
                await uow.callbacks.save(replace(callback, sealed_body=None))
                await uow.commit()
            sweep = SweepLostWork(units, clock, Waits(), lambda *_, **__: None)
            assert await sweep() == 1
            await use_cases(adapters, settings).process_callback()(HIP, callback.id)
            async with units() as uow:
                [row] = await uow.outbox.lease(now=clock(), until=clock(), limit=1, topics=[Topic.CALLBACK])
                await uow.outbox.done(row.id, row.attempt)
                ended = await uow.callbacks.get(HIP, callback.id)
                assert await uow.callbacks.overdue(before=clock()) == [], "and no alarm goes on for ever"
                await uow.commit()
            assert ended is not None
            assert (ended.state, ended.error) == (CallbackState.FAILED, "its consent ended before it was run")
            assert await sweep() == 0

    asyncio.run(story())


def test_after_a_standstill_of_the_relay_what_nobody_answered_is_unanswered_and_not_lost() -> None:
    """More conversations than one transaction lapses: their visits wait for no row of the outbox."""

    async def story() -> None:
        house = House()
        for number in range(BATCH + 1):
            patient = replace(
                MEERA,
                reference=PatientReference(f"PAT-{number}"),
                abha_address=AbhaAddress(f"meera{number}@sbx"),
                abha_number=None,
            )
            await house.take_in(a_visit(visit_code=VisitCode(f"v-{number}"), patient=patient))
        await house.work()
        house.clock.advance(timedelta(hours=1))
        assert await SweepAll((SweepExchanges(house.units, house.clock), _sweep(house)))() == BATCH + 1
        assert house.alarms == []
        async with house.units() as uow:
            requests = await uow.link_requests.list(Listing(limit=1_000))
        assert [request.status for request in requests] == [LinkStatus.UNANSWERED] * (BATCH + 1)

    asyncio.run(story())

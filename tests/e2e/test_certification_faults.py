"""`hip certify` catches every deliberate fault of the service, each by the case that is meant to."""

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest
from tests.e2e.certification_faults import FAULTS, Fault

from hip.entrypoints.certify.catalogue import cases, chosen
from hip.entrypoints.certify.grounds import memory_ground
from hip.entrypoints.certify.running import Failure, outcome
from hip.entrypoints.certify.scene import Scene
from hip.entrypoints.certify.townsfolk import Person

PLENTY = 60.0
"""Seconds, for what comes."""

PATIENCE = 12.0
"""Seconds, for what never comes; in a sound service each step takes a fraction of one."""

IN_EVERY_RUN = (
    "accepts a wrong OTP",
    "skips the rule of dates (REL-08)",
    "states a wrong checksum",
    "reuses a key and nonce",
    "leaves X-HIP-ID out",
    "lets an invalid document through",
    "closes a transfer after 21 minutes",
    "keeps the artefact of a revoked consent",
)


def _rule(fault: Fault) -> str:
    return fault.rule or chosen([fault.case])[0].id


async def _caught(fault: Fault, places: asyncio.Semaphore) -> Failure | None:
    [case] = chosen([fault.case])
    people = count(1)
    async with places, memory_ground(arrange=fault.arrange, deadline=PATIENCE if fault.never else PLENTY) as ground:
        scene = Scene(
            stage=ground.stage,
            case=case,
            people=lambda: Person(next(people), 1),
            clock=ground.clock,
        )
        return await outcome(scene)


def _require_caught(faults: Sequence[Fault]) -> None:
    async def all_of_them() -> list[Failure | None]:
        places = asyncio.Semaphore(6)
        return await asyncio.gather(*(_caught(fault, places) for fault in faults))

    missed = {
        fault.name: failure and (failure.rule, failure.seen)
        for fault, failure in zip(faults, asyncio.run(all_of_them()), strict=True)
        if failure is None
        or failure.rule != (fault.rule or chosen([fault.case])[0].id)
        or fault.seen not in failure.seen
    }
    assert missed == {}


def test_a_few_faults_are_caught() -> None:
    _require_caught([fault for fault in FAULTS if fault.name in IN_EVERY_RUN])


@pytest.mark.soak
def test_every_fault_is_caught() -> None:
    _require_caught(FAULTS)


def test_there_are_thirty_faults_and_more_and_each_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
    assert set(IN_EVERY_RUN) <= {fault.name for fault in FAULTS}
    assert {fault.case for fault in FAULTS} <= {case.key for case in cases()}

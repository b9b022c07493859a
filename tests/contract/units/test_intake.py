"""Records stored together leave what they would have left one by one, on every database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.builders.moments import NOW
from tests.builders.unstorable import PickyStore
from tests.builders.visits import CLINIC, MEERA, a_bare_visit, a_visit

from hip.adapters.memory.units import MemoryDatabase
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application import intake
from hip.application.intake import Answer, ReceivedVisit, ReceiveVisit, ReceiveVisits
from hip.application.storage import Listing, StatementRefused, Units
from hip.domain.accounts import account_key
from hip.domain.audit import AuditHead
from hip.domain.clinical import Diagnosis
from hip.domain.errors import DomainError, StorageFailed, Unstorable
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, HipId, PatientReference, VisitCode
from hip.domain.visits import VisitRecord
from hip.entrypoints.facilities import ConfiguredFacilities

pytestmark = pytest.mark.anyio
RECORDS = JsonVisitRecords()
SECOND = replace(CLINIC, hip_id=HipId("IN0410000124"), name="Second Clinic")
FOREIGN = replace(CLINIC, hip_id=HipId("IN0410000125"), name="Clinic of another caller")
FACILITIES = ConfiguredFacilities((CLINIC, SECOND, FOREIGN))
ALLOWED = frozenset({CLINIC.hip_id, SECOND.hip_id})
PEOPLE = [PatientReference(f"PAT-{number}") for number in range(3)]
ADDRESSES = [None, AbhaAddress("meera.k01@sbx"), AbhaAddress("meera.other@sbx")]
CLOSED = replace(
    MEERA, reference=PEOPLE[0], abha_address=None, abha_number=None,
    closed_account=account_key(CLINIC.hip_id, AbhaAddress("meera.k01@sbx")),
)  # fmt: skip


def _bytes(facility: str, code: int, patient: int, address: int, words: int, types: int) -> bytes:
    wanted = [(), (HiType.OP_CONSULTATION,), (HiType.PRESCRIPTION, HiType.OP_CONSULTATION)][types]
    person = replace(MEERA, reference=PEOPLE[patient], abha_address=ADDRESSES[address], abha_number=None)
    record = a_visit(
        visit_code=VisitCode(str(code)),
        patient=person,
        hi_types=wanted,
        diagnoses=(Diagnosis(text=f"Fever, form {words}"),),
    )
    return RECORDS.write(replace(record, hip_id=HipId(facility)))


_facilities = st.sampled_from([str(CLINIC.hip_id)] * 4 + [str(SECOND.hip_id), str(FOREIGN.hip_id), "IN0410000999"])
_few = st.integers(0, 2)
_records = st.one_of(
    st.builds(_bytes, _facilities, st.integers(1, 4), _few, _few, st.integers(0, 1), _few),
    st.sampled_from([b"no json", b"{}"]),
)


def _receive(units: Units) -> ReceiveVisits:
    return ReceiveVisits(units, RECORDS, FACILITIES, lambda: NOW)


async def _answer(units: Units, content: bytes) -> Answer:
    try:
        return await ReceiveVisit(units, RECORDS, FACILITIES, lambda: NOW)(content, actor="test", allowed=ALLOWED)
    except DomainError as refusal:
        return refusal


def _told(answer: Answer) -> Any:
    return answer if isinstance(answer, ReceivedVisit) else (type(answer), str(answer))


async def _closing(units: Units) -> None:
    """One patient closed an ABHA account before."""
    async with units() as uow:
        await uow.patients.save(CLOSED, hip_id=CLINIC.hip_id)
        await uow.commit()


async def _state(units: Units) -> dict[str, Any]:
    """Everything that an arrival writes; the order of what was received at one moment is nobody's."""
    async with units() as uow:
        visits = await uow.visits.list(Listing(limit=1000))
        keys = sorted((visit.record.hip_id, visit.record.visit_code) for visit in visits)
        hips = await uow.audit.chained()
        chains = {hip_id: await uow.audit.chain(hip_id, after=0, limit=1000) for hip_id in hips}
        for hip_id, links in chains.items():
            head = AuditHead(hip_id=hip_id)
            for link in links:
                assert head.broken_by(link) is None
                head = link.head
            assert head == await uow.audit.head(hip_id)
        jobs = await uow.outbox.list(Listing(limit=1000))
        return {
            "visits": {(visit.record.hip_id, visit.record.visit_code): visit for visit in visits},
            "triggers": [await uow.triggers.get(*key) for key in keys],
            "jobs": [await uow.bundle_jobs.of_visit(*key) for key in keys],
            "patients": [
                sorted(await uow.patients.several(hip_id, PEOPLE), key=lambda patient: patient.reference)
                for hip_id in sorted(ALLOWED)
            ],
            "work": [(job.hip_id, job.topic, job.key, job.run_at) for job in sorted(jobs, key=lambda job: job.id)],
            "audit": chains,
        }


@dataclass(frozen=True)
class Sequences:
    """Records, and where their sequence is cut into batches."""

    records: tuple[bytes, ...]
    cuts: tuple[int, ...]

    @property
    def batches(self) -> list[Sequence[bytes]]:
        edges = [0, *sorted(cut for cut in self.cuts if cut < len(self.records)), len(self.records)]
        return [self.records[start:end] for start, end in pairwise(edges)]


_sequences = st.builds(
    Sequences,
    st.lists(_records, max_size=14).map(tuple),
    st.lists(st.integers(1, 13), max_size=3, unique=True).map(tuple),
)


async def _same(units: Units, given_: Sequences) -> None:
    alone = MemoryDatabase().unit
    await _closing(alone)
    await _closing(units)
    one_by_one = [_told(await _answer(alone, content)) for content in given_.records]
    together: list[Any] = []
    for batch in given_.batches:
        answers = await _receive(units)(batch, actor="test", allowed=ALLOWED)
        together += map(_told, answers)
    assert together == one_by_one
    left, wanted = await _state(units), await _state(alone)
    for name, value in wanted.items():
        if name == "work":  # of several HIPs each has its own order
            assert sorted(left[name]) == sorted(value)
            for hip_id in ALLOWED:
                assert [one for one in left[name] if one[0] == hip_id] == [one for one in value if one[0] == hip_id]
        else:
            assert left[name] == value, name


@settings(max_examples=60, deadline=None)
@given(_sequences)
def test_records_in_batches_leave_what_they_leave_one_by_one(sequences: Sequences) -> None:
    asyncio.run(_same(MemoryDatabase().unit, sequences))


@pytest.mark.soak
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_sequences)
def test_many_records_in_batches_leave_what_they_leave_one_by_one(sequences: Sequences) -> None:
    asyncio.run(_same(MemoryDatabase().unit, sequences))


@pytest.mark.parametrize("seed", range(4))
async def test_every_database_is_left_as_by_single_records(units: Units, seed: int) -> None:
    draw = Random(seed)
    facilities = [str(CLINIC.hip_id)] * 3 + [str(SECOND.hip_id), str(FOREIGN.hip_id)]
    records = [
        _bytes(draw.choice(facilities), draw.randint(1, 9), *(draw.randint(0, high) for high in (2, 2, 1, 2)))
        for _ in range(40)
    ]
    await _same(units, Sequences(tuple(records), (draw.randint(1, 20), draw.randint(21, 39))))


def _codes(count: int) -> list[VisitCode]:
    return [VisitCode(str(number)) for number in range(count)]


async def test_one_transaction_stores_many(units: Units) -> None:
    store = PickyStore(units)
    answers = await _receive(store.unit)([a_visit(visit_code=code) for code in _codes(intake.AT_ONCE)], actor="test")
    assert [answer.version for answer in answers if isinstance(answer, ReceivedVisit)] == [1] * intake.AT_ONCE
    assert store.tried == 1
    async with units() as uow:
        entries = await uow.audit.list(Listing(limit=1000))
    assert [(entry.subject, entry.detail) for entry in reversed(entries)] == [
        (code, (("version", "1"),)) for code in _codes(intake.AT_ONCE)
    ]


async def test_a_record_that_the_store_refuses_is_named_and_the_others_are_stored(units: Units) -> None:
    store = PickyStore(units, StatementRefused("the database refused a statement (SQLSTATE 22021)"))
    store.codes |= {VisitCode("7"), VisitCode("30")}
    answers = await _receive(store.unit)([a_visit(visit_code=code) for code in _codes(50)], actor="test")
    refused = [n for n, answer in enumerate(answers) if isinstance(answer, Unstorable)]
    assert refused == [7, 30]
    async with units() as uow:
        assert len(await uow.visits.known(CLINIC.hip_id, _codes(50))) == 48
        assert (await uow.audit.head(CLINIC.hip_id)).sequence == 48


async def test_a_store_that_is_away_is_asked_a_few_times_only_and_nothing_is_half_done(units: Units) -> None:
    records = [a_visit(visit_code=code) for code in _codes(200)]
    store = PickyStore(units, codes={record.visit_code for record in records})
    [answer] = await _receive(store.unit)(records, actor="test")
    assert isinstance(answer, StorageFailed)
    assert store.tried <= 5
    async with units() as uow:
        assert await uow.visits.list(Listing()) == []
        assert await uow.outbox.waiting() == 0
        assert await uow.audit.chained() == []


async def test_records_after_the_one_at_which_the_store_fails_are_not_looked_at(units: Units) -> None:
    store = PickyStore(units, codes={VisitCode("6")})
    records: list[bytes | VisitRecord] = [a_visit(visit_code=code) for code in _codes(9)]
    records[2], records[8] = b"no json", b"{}"
    answers = await _receive(store.unit)(records, actor="test")
    assert len(answers) == 7
    assert [type(answer) for answer in answers] == [
        ReceivedVisit, ReceivedVisit, type(answers[2]), ReceivedVisit, ReceivedVisit, ReceivedVisit, StorageFailed,
    ]  # fmt: skip
    assert isinstance(answers[2], DomainError)
    async with units() as uow:
        assert sorted(await uow.visits.known(CLINIC.hip_id, _codes(9))) == [
            "0",
            "1",
            "3",
            "4",
            "5",
        ]


async def test_large_records_are_stored_a_few_at_a_time(units: Units) -> None:
    large = "x" * 19_000
    records = [
        a_bare_visit(visit_code=VisitCode(str(n)), diagnoses=tuple(Diagnosis(text=large) for _ in range(130)))
        for n in range(7)
    ]
    assert len(RECORDS.write(records[0])) * 3 < intake.BYTES_AT_ONCE < len(RECORDS.write(records[0])) * 4
    store = PickyStore(units)
    answers = await _receive(store.unit)(records, actor="test")
    assert len(answers) == 7
    assert store.tried == 3


async def test_batches_that_share_visits_and_patients_in_any_order_never_wait_in_a_circle(units: Units) -> None:
    def batch(number: int) -> list[bytes]:
        codes = range(40) if number % 2 else range(39, -1, -1)
        return [_bytes(str(CLINIC.hip_id), code, code % 3, number % 3, number % 2, 0) for code in codes]

    store = PickyStore(units)
    answers = await asyncio.gather(*(_receive(store.unit)(batch(number), actor="test") for number in range(6)))
    assert store.tried == 6, "a batch that was given up is offered again in parts"
    assert all(isinstance(answer, ReceivedVisit) for each in answers for answer in each)
    changes = sum(answer.changed for each in answers for answer in each if isinstance(answer, ReceivedVisit))
    async with units() as uow:
        known = await uow.visits.known(CLINIC.hip_id, _codes(40))
        assert sum(each.version for each in known.values()) == changes
        assert (await uow.audit.head(CLINIC.hip_id)).sequence == changes

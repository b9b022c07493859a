"""Frequent questions are answered from an index that holds what they ask for (EXPLAIN on a filled database)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.builders.databases import connected, emptied
from tests.builders.links import HIP, MEERA_ADDRESS
from tests.builders.moments import DAY, NOW, SECOND
from tests.builders.plans import generic_plans_of, plans_of
from tests.builders.stored_visits import a_bundle_key, a_bundle_record

from hip.adapters.postgres.units import PostgresDatabase
from hip.application.bundle_storage import ReceivedSpan
from hip.application.lost_work import Waiting
from hip.application.storage import JobState, Listing, Topic, UnitOfWork
from hip.domain.discovery import PatientIdentifiers
from hip.domain.exchanges import Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    AbhaNumber,
    CareContextReference,
    ConsentId,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)

pytestmark = pytest.mark.anyio

# 6,000 rows where it matters, so that reading a whole table is never the cheapest; few of them are what is asked for.
_FILL = """
INSERT INTO patients SELECT 'IN0410000123', 'PAT-' || n, 'x', 'F', 1984, NULL, '9' || n, NULL, 'p' || n || '@sbx',
    lpad(n::text, 14, '0'), NULL FROM generate_series(1, 6000) n;
INSERT INTO care_context (hip_id, care_context_number, visit_code, display, patient_reference, clinical_date, hi_types,
    linked_to) SELECT 'IN0410000123', n, n, 'x', 'PAT-' || n % 2000, now(), '{Invoice}',
    CASE WHEN n % 10 > 0 THEN 'p@sbx' END FROM generate_series(1, 6000) n;
INSERT INTO outbox (hip_id, topic, key, priority, run_at, attempt, state)
    SELECT 'IN0410000123', 'link', n, 2, '2026-03-12', 1, 'done' FROM generate_series(1, 6000) n;
INSERT INTO outbox (hip_id, topic, key, priority, run_at, attempt, state)
    SELECT 'IN0410000123', 'bundle', n, 4, '2099-01-01', 0, 'ready' FROM generate_series(1, 6000) n;
INSERT INTO outbox (hip_id, topic, key, priority, run_at, attempt, state)
    SELECT 'IN0410000123', 'link', n, 2, '2026-03-12', 0, 'ready' FROM generate_series(1, 20) n;
INSERT INTO callbacks (hip_id, id, path, request_id, received_at, body_hash, headers, verified, state, late, runs)
    SELECT 'IN0410000123', n, '/', n, '2026-03-12', '', '[]', true,
    CASE WHEN n % 500 = 0 THEN 'received' ELSE 'done' END, false, 1 FROM generate_series(1, 6000) n;
INSERT INTO exchanges (hip_id, id, flow, business_key, outcome, opened_at, updated_at, answer_due)
    SELECT 'IN0410000123', n, 'on-init', n, CASE WHEN n % 100 = 0 THEN 'sent' ELSE 'answered' END, now(), now(),
    '2026-03-12' FROM generate_series(1, 6000) n;
INSERT INTO attempts (hip_id, request_id, exchange_id, position, sent_at)
    SELECT 'IN0410000123', 'r' || n, n, 0, now() FROM generate_series(1, 6000) n;
INSERT INTO data_flow_request (hip_id, transaction_id, health_information_request, status, consent_id, request_id,
    requested_at, updated_at, deadline, attempts, retries, alerted) SELECT 'IN0410000123', n, '', 'done', 'c' || n, n,
    now(), now(), now(), 0, 0, 0 FROM generate_series(1, 6000) n;
INSERT INTO pages SELECT 'IN0410000123', '1', n, 'x', NULL, NULL, 'delivered', 0, NULL, NULL
    FROM generate_series(1, 6000) n;
INSERT INTO generate_token_response (hip_id, request_id, abha_address, link_token, expires_at, created_at)
    SELECT 'IN0410000123', n, 'p' || n || '@sbx', '', '2099-01-01', now() FROM generate_series(1, 6000) n;
INSERT INTO initiated_link_request (hip_id, link_reference_number, request_id, status, created_at, updated_at,
    visit_code, patient_reference, abha_address, token_renewed) SELECT 'IN0410000123', n, n, 'linked', now(), now(), n,
    n, 'p@sbx', false FROM generate_series(1, 6000) n;
INSERT INTO bundle_jobs (hip_id, visit_code, hi_type, version, state, attempts, updated_at)
    SELECT 'IN0410000123', n, 'Prescription', 1, 'pending', 0, now() FROM generate_series(1, 6000) n;
INSERT INTO bundles (hip_id, visit_code, hi_type, version, sha256, size, valid, clinical_date, composed_at)
    SELECT 'IN0410000123', n, 'Prescription', 1, '', 1, true, now(), now() FROM generate_series(1, 6000) n;
INSERT INTO visits (hip_id, visit_code, patient_reference, sealed_source, digest, version, received_at)
    SELECT 'IN0410000123', n, n, '', '', 1, now() FROM generate_series(1, 6000) n;
INSERT INTO ndhm_trigger_visit_data SELECT 'IN0410000123', n, n % 100 = 0, now(),
    CASE WHEN n % 100 = 0 THEN timestamptz '2026-03-13' END FROM generate_series(1, 6000) n;
"""
_DOCUMENT = a_bundle_key(visit_code=VisitCode("7"))
_WANTED = PatientIdentifiers(
    abha_addresses=frozenset({AbhaAddress("p7@sbx")}),
    abha_numbers=frozenset({AbhaNumber("00000000000007")}),
    mobiles=frozenset({"97"}),
)


@pytest.fixture
async def filled(database: PostgresDatabase, url: str) -> AsyncIterator[PostgresDatabase]:
    connection = await connected(url)
    await connection.execute(_FILL)
    await connection.execute("ANALYZE")
    await connection.close()
    yield database
    await emptied(url)


QUESTIONS: dict[str, tuple[Callable[[UnitOfWork], Awaitable[Any]], set[str]]] = {
    "lost_work.look, callbacks": (
        lambda uow: uow.lost_work.look(Waiting.CALLBACK, behind=None, before=NOW, since=NOW, limit=50),
        {"ix_callbacks_unread", "ix_outbox_key"},
    ),
    "lost_work.look, transfers": (
        lambda uow: uow.lost_work.look(Waiting.TRANSFER, behind=None, before=NOW, since=NOW, limit=50),
        {"ix_data_flow_request_open", "ix_outbox_key"},
    ),
    "lost_work.look, links": (
        lambda uow: uow.lost_work.look(Waiting.LINK, behind=None, before=NOW, since=NOW, limit=50),
        {"ix_initiated_link_request_under_way", "ix_outbox_key"},
    ),
    "lost_work.look, documents": (
        lambda uow: uow.lost_work.look(Waiting.DOCUMENT, behind=None, before=NOW, since=NOW, limit=50),
        {"ix_bundle_jobs_left", "ix_outbox_key"},
    ),
    "lost_work.look further, documents": (
        lambda uow: uow.lost_work.look(
            Waiting.DOCUMENT, behind=(HIP, NOW, "7", "Prescription"), before=NOW, since=NOW, limit=50
        ),
        {"ix_bundle_jobs_left", "ix_outbox_key"},
    ),
    "lost_work.look, visits": (
        lambda uow: uow.lost_work.look(Waiting.VISIT, behind=None, before=NOW, since=NOW, limit=50),
        {"ix_ndhm_trigger_visit_data_processed_at", "ix_initiated_link_request_visit", "ix_outbox_key"},
    ),
    "outbox.list, the dead letter": (
        lambda uow: uow.outbox.list(Listing(hip_id=HIP), state=JobState.DEAD),
        {"ix_outbox_dead"},
    ),
    "outbox.undecided": (lambda uow: uow.outbox.undecided(HIP, Topic.TRANSFER, "7"), {"ix_outbox_key"}),
    "outbox.hurry": (
        lambda uow: uow.outbox.hurry(HIP, Topic.TRANSFER, "7", run_at=NOW),
        {"ix_outbox_key"},
    ),
    "callbacks.overdue": (lambda uow: uow.callbacks.overdue(before=NOW), {"ix_callbacks_unread"}),
    "outbox.lease": (
        lambda uow: uow.outbox.lease(now=NOW, until=NOW + SECOND, limit=50),
        {"ix_outbox_due"},
    ),
    "outbox.lease, the newest": (
        lambda uow: uow.outbox.lease(now=NOW, until=NOW + SECOND, limit=50, topics=[Topic.LINK], newest=True),
        {"ix_outbox_due"},
    ),
    "outbox.held": (lambda uow: uow.outbox.held([(7, 1), (8, 1)]), {"uq_outbox_id"}),
    "outbox.done_all": (lambda uow: uow.outbox.done_all([(7, 1), (8, 1)]), {"uq_outbox_id"}),
    "bundle_jobs.begin": (lambda uow: uow.bundle_jobs.begin([_DOCUMENT], now=NOW), {"pk_bundle_jobs"}),
    "bundle_jobs.finish": (
        lambda uow: uow.bundle_jobs.finish([a_bundle_record(key=_DOCUMENT)], now=NOW),
        {"pk_bundle_jobs"},
    ),
    "visits.lock_versions": (lambda uow: uow.visits.lock_versions(HIP, [VisitCode("7")]), {"pk_visits"}),
    "visits.known": (lambda uow: uow.visits.known(HIP, [VisitCode("7")]), {"pk_visits"}),
    "visits.lock_known": (lambda uow: uow.visits.lock_known(HIP, [VisitCode("7")]), {"pk_visits"}),
    "patients.lock_several": (
        lambda uow: uow.patients.lock_several(HIP, [PatientReference("PAT-7")]),
        {"pk_patients"},
    ),
    "visits.received": (
        lambda uow: uow.visits.received(
            HIP, ReceivedSpan(since=NOW - DAY, until=NOW, behind=(NOW - DAY, VisitCode("7"))), limit=9
        ),
        {"ix_visits_received_at"},
    ),
    "triggers.process": (
        lambda uow: uow.triggers.process(HIP, [VisitCode("7")], now=NOW),
        {"pk_ndhm_trigger_visit_data"},
    ),
    "triggers.processed": (
        lambda uow: uow.triggers.processed(HIP, [VisitCode("7")]),
        {"pk_ndhm_trigger_visit_data"},
    ),
    "bundles.of_visits": (lambda uow: uow.bundles.of_visits(HIP, [VisitCode("7")]), {"pk_bundles"}),
    "care_contexts.lock_several": (
        lambda uow: uow.care_contexts.lock_several(HIP, [CareContextReference("7")]),
        {"pk_care_context"},
    ),
    "outbox.current": (lambda uow: uow.outbox.current(7, 1), {"uq_outbox_id"}),
    "outbox.done": (lambda uow: uow.outbox.done(7, 1), {"uq_outbox_id"}),
    "patients.candidates": (
        lambda uow: uow.patients.candidates(HIP, _WANTED, limit=20),
        {"ix_patients_abha_address", "ix_patients_abha_number", "ix_patients_phone"},
    ),
    "care_contexts.unlinked": (
        lambda uow: uow.care_contexts.unlinked(HIP, PatientReference("PAT-10"), per_hi_type=5),
        {f"ix_care_context_unlinked_{hi_type.value.lower()}" for hi_type in HiType},
    ),
    "care_contexts.of_patient": (
        lambda uow: uow.care_contexts.of_patient(HIP, PatientReference("PAT-11")),
        {"ix_care_context_patient"},
    ),
    "exchanges.lapsed": (lambda uow: uow.exchanges.lapsed(now=NOW, limit=50), {"ix_exchanges_overdue"}),
    "exchanges.lock_latest": (
        lambda uow: uow.exchanges.lock_latest(HIP, Flow.ON_INIT, "7"),
        {"ix_exchanges_business_key", "ix_attempts_exchange"},
    ),
    "exchanges.lock_by_request_id": (
        lambda uow: uow.exchanges.lock_by_request_id(HIP, RequestId("r7")),
        {"pk_attempts", "pk_exchanges"},
    ),
    "transfers.pending_pages": (
        lambda uow: uow.transfers.pending_pages(HIP, TransactionId("1"), limit=5),
        {"ix_pages_pending"},
    ),
    "transfers.open_of_consent": (
        lambda uow: uow.transfers.open_of_consent(HIP, ConsentId("c7")),
        {"ix_data_flow_request_open"},
    ),
    "link_tokens.current": (
        lambda uow: uow.link_tokens.current(HIP, MEERA_ADDRESS, now=NOW),
        {"ix_generate_token_response_abha_address"},
    ),
    "link_requests.awaiting_token": (
        lambda uow: uow.link_requests.awaiting_token(HIP, MEERA_ADDRESS),
        {"ix_initiated_link_request_awaiting_token"},
    ),
    "link_requests.by_request_id": (
        lambda uow: uow.link_requests.by_request_id(HIP, RequestId("7")),
        {"ix_initiated_link_request_request_id"},
    ),
}


async def test_no_frequent_question_reads_a_whole_table(filled: PostgresDatabase) -> None:
    for name, (ask, indexes) in QUESTIONS.items():
        nodes = await plans_of(filled, ask)
        assert [node for node in nodes if node["Node Type"] == "Seq Scan"] == [], name
        used = {node["Index Name"] for node in nodes if "Index Name" in node}
        assert indexes <= used, (name, used)


async def test_a_lease_reads_due_rows_only(filled: PostgresDatabase) -> None:
    """12,000 rows that are done or not due stand beside 20 that are due."""
    nodes = await plans_of(filled, lambda uow: uow.outbox.lease(now=NOW, until=NOW + SECOND, limit=50))
    reads = [node for node in nodes if node.get("Index Name") == "ix_outbox_due"]
    assert len(reads) == 1
    assert reads[0]["Actual Rows"] * reads[0]["Actual Loops"] == pytest.approx(20, abs=6)
    assert reads[0].get("Rows Removed by Filter", 0) == 0


async def test_a_limited_lease_locks_no_more_than_it_takes(filled: PostgresDatabase, url: str) -> None:
    async with filled.unit() as uow:
        taken = await uow.outbox.lease(now=NOW, until=NOW + SECOND, limit=5)
        assert len(taken) == 5
        connection = await connected(url)
        free = await connection.fetch(
            "SELECT id FROM outbox WHERE state = 'ready' AND run_at <= $1 FOR UPDATE SKIP LOCKED", NOW
        )
        await connection.close()
    assert len(free) == 15


@pytest.mark.parametrize("waiting", Waiting)
async def test_a_look_for_lost_work_reads_no_whole_table_whatever_its_parameters(
    filled: PostgresDatabase, waiting: Waiting
) -> None:
    nodes = await generic_plans_of(
        filled, lambda uow: uow.lost_work.look(waiting, behind=None, before=NOW, since=NOW, limit=50)
    )
    assert [node for node in nodes if node["Node Type"] == "Seq Scan"] == []
    assert "ix_outbox_key" in {node.get("Index Name") for node in nodes}

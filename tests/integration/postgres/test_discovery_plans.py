"""A discovery reads what it answers with, little else: for a patient of 5,000 visits, a mobile of 200 people (DISC-01).

The fill has the proportions of a large hospital, so that the planner chooses as it does among a million.
"""

from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.builders.databases import connected, emptied
from tests.builders.links import HIP
from tests.builders.plans import Ask, generic_plans_of, plans_of

from hip.adapters.postgres.units import PostgresDatabase
from hip.application.storage import UnitOfWork
from hip.domain.discovery import Demographics, PatientIdentifiers
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, PatientReference, TransactionId
from hip.domain.patients import Gender

pytestmark = pytest.mark.anyio

# 6,000 patients of one visit or two, a family of 200 with one mobile, and one patient with 5,000 visits.
_FILL = """
INSERT INTO patients (hip_id, reference, name, gender, birth_year, phone)
    SELECT 'IN0410000123', 'PAT-' || n, 'x', CASE n % 2 WHEN 0 THEN 'F' ELSE 'M' END, 1930 + n % 90,
    CASE WHEN n <= 200 THEN '9999999999' ELSE '9' || n END FROM generate_series(1, 6000) n;
INSERT INTO care_context (hip_id, care_context_number, visit_code, display, patient_reference, clinical_date, hi_types,
    linked_to) SELECT 'IN0410000123', n, n, 'x', 'PAT-' || n % 6000, now() - n * interval '1 min',
    ARRAY[(ARRAY['OPConsultation', 'Prescription', 'DiagnosticReport', 'Invoice', 'DischargeSummary'])[1 + n % 5]],
    CASE WHEN n % 4 = 0 THEN 'p@sbx' END FROM generate_series(1, 9000) n;
INSERT INTO care_context (hip_id, care_context_number, visit_code, display, patient_reference, clinical_date, hi_types)
    SELECT 'IN0410000123', 'big' || n, n, 'x', 'PAT-BIG', now() - n * interval '1 min',
    CASE n % 9 WHEN 0 THEN '{Prescription}'::text[] ELSE '{OPConsultation,Prescription}' END
    FROM generate_series(1, 5000) n;
INSERT INTO discovery_request (hip_id, transaction_id, consent_manager_user_id, "timestamp")
    SELECT 'IN0410000123', n, 'p' || n % 300 || '@sbx', '2026-01-01'::timestamptz + n * interval '1 hour'
    FROM generate_series(1, 6000) n;
"""
_INDEXES = {f"ix_care_context_unlinked_{hi_type.value.lower()}" for hi_type in HiType}

_EXPECTED = _INDEXES | {"ix_patients_phone", "ix_discovery_request_asked"}


@pytest.fixture
async def filled(database: PostgresDatabase, url: str) -> AsyncIterator[PostgresDatabase]:
    connection = await connected(url)
    await connection.execute(_FILL)
    await connection.execute("ANALYZE patients, care_context, discovery_request")
    await connection.close()
    yield database
    await emptied(url)


def unlinked_of(reference: str) -> Ask:
    return lambda uow: uow.care_contexts.unlinked(HIP, PatientReference(reference), per_hi_type=20)


def behind(mobile: str) -> Ask:
    wanted = PatientIdentifiers(mobiles=frozenset({mobile}))
    likely = Demographics(gender=Gender.FEMALE, born_from=1979, born_to=1989)
    return lambda uow: uow.patients.candidates(HIP, wanted, limit=51, behind_mobile=likely)


def asked_lately(uow: UnitOfWork) -> Awaitable[Any]:
    since = datetime(2026, 8, 1, tzinfo=UTC)
    return uow.discoveries.asked_since(HIP, AbhaAddress("p7@sbx"), since, beside=TransactionId("new"))


def read_through(nodes: list[dict[str, Any]], prefix: str) -> dict[str, float]:
    """Rows that the scans of these indexes gave or threw away."""
    return {
        node["Index Name"]: (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes
        if node.get("Index Name", "").startswith(prefix)
    }


@pytest.mark.parametrize("reference", ["PAT-7", "PAT-BIG", "PAT-NOBODY"])
async def test_the_newest_of_each_hi_type_are_all_that_is_read_of_a_patient(
    filled: PostgresDatabase, reference: str
) -> None:
    nodes = await plans_of(filled, unlinked_of(reference))
    assert [node for node in nodes if node["Node Type"] == "Seq Scan"] == []
    read = read_through(nodes, "ix_care_context")
    assert set(read) == _INDEXES
    assert all(rows <= 20 for rows in read.values()), read


async def test_of_a_shared_mobile_only_who_fits_the_demographics_is_read(filled: PostgresDatabase) -> None:
    nodes = await plans_of(filled, behind("9999999999"))
    assert [node for node in nodes if node["Node Type"] == "Seq Scan"] == []
    read = read_through(nodes, "ix_patients_phone")
    assert list(read) == ["ix_patients_phone"]
    assert 0 < read["ix_patients_phone"] <= 20


async def test_disc_02_of_the_searches_only_the_latest_of_one_address_are_counted(filled: PostgresDatabase) -> None:
    nodes = await plans_of(filled, asked_lately)
    assert [node for node in nodes if node["Node Type"] == "Seq Scan"] == []
    read = read_through(nodes, "ix_discovery_request_asked")
    assert 0 < read["ix_discovery_request_asked"] <= 20, read


@pytest.mark.parametrize(
    "ask", [unlinked_of("PAT-7"), behind("9999999999"), asked_lately], ids=["contexts", "people", "searches"]
)
async def test_a_plan_for_any_parameters_reads_no_whole_table_either(filled: PostgresDatabase, ask: Ask) -> None:
    nodes = await generic_plans_of(filled, ask)
    assert [node for node in nodes if node["Node Type"] == "Seq Scan"] == []
    assert {node["Index Name"] for node in nodes if "Index Name" in node} & _EXPECTED

"""What only the real collections can show: names, indexes, durability, and living beside AMRIT's own documents."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pymongo
import pytest
from pymongo.database import Database

from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.mongo.names import AMRIT, SEED, CollectionNames
from hip.domain.bundles import Bundle, BundleKey, Issue, Severity
from hip.domain.errors import StorageFailed
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, HipId, PatientReference, RequestId, VisitCode
from hip.domain.patients import Gender, Patient

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 3, 12, 5, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
HIP = HipId("IN0410000123")
ISSUE = Issue(severity=Severity.ERROR, rule="min", profile="p", path="x", found="0", expected="1", message="m", fix="f")
BUNDLE = Bundle(
    key=BundleKey(hip_id=HIP, visit_code=VisitCode("88120"), hi_type=HiType.PRESCRIPTION),
    version=3,
    content=b'{"resourceType":"Bundle"}',
    valid=False,
    composed_at=NOW,
    issues=(ISSUE,),
)
PATIENT = Patient(reference=PatientReference("PAT-1"), name="Meera Kulkarni", gender=Gender.FEMALE, birth_year=1984)


@pytest.fixture
def database(mongo_url: str) -> Iterator[Database[dict[str, Any]]]:
    """A database of this test's own, seen by another client than ours."""
    with pymongo.MongoClient[dict[str, Any]](mongo_url, tz_aware=True, uuidRepresentation="standard") as client:
        name = f"hip_{uuid4().hex}"
        yield client[name]
        client.drop_database(name)


def documents_in(database: Database[dict[str, Any]], url: str, names: CollectionNames = SEED) -> MongoDocuments:
    return MongoDocuments(url, database.name, names)


async def write_one_of_each(documents: MongoDocuments) -> None:
    await documents.put(BUNDLE)
    await documents.put_gateway_response(HIP, RequestId("r-1"), path="/p", sealed_body=b"\x01\xff", now=NOW)
    await documents.put_link_token(
        HIP, RequestId("r-1"), abha_address=AbhaAddress("m@sbx"), sealed_token=b"\x01\xfe", error_code=None, now=NOW
    )
    await documents.put_patient_contexts(HIP, PATIENT, [])


@pytest.mark.parametrize("names", [SEED, AMRIT], ids=["seed", "amrit"])
async def test_the_collections_are_called_as_configured(
    database: Database[dict[str, Any]], mongo_url: str, names: CollectionNames
) -> None:
    documents = documents_in(database, mongo_url, names)
    await write_one_of_each(documents)
    await documents.close()
    wanted = {names.bundles, names.gateway_responses, names.link_tokens, names.patient_contexts}
    assert set(database.list_collection_names()) == wanted


def test_the_names_are_the_seeds_and_amrits() -> None:
    assert (SEED.bundles, SEED.gateway_responses, SEED.link_tokens, SEED.patient_contexts) == (
        "Amrit_Resource",
        "NDHMResponse",
        "GenerateLinkTokenResponse",
        "PatientCareContexts",
    )
    assert (AMRIT.bundles, AMRIT.gateway_responses, AMRIT.link_tokens, AMRIT.patient_contexts) == (
        "AMRIT_Resource",
        "NDHMResponses",
        "GenerateTokenAbdmResponses",
        "PatientCareContexts",
    )


async def test_two_stores_in_one_process_do_not_rebind_each_other(
    database: Database[dict[str, Any]], mongo_url: str
) -> None:
    first, second = documents_in(database, mongo_url), MongoDocuments(mongo_url, f"{database.name}_second")
    try:
        await first.open()
        await second.open()
        await first.put(BUNDLE)
        assert await second.get(BUNDLE.key, BUNDLE.version) is None
        assert await first.get(BUNDLE.key, BUNDLE.version) == BUNDLE.content
    finally:
        await first.close()
        await second.close()


async def test_a_bundle_document_reads_as_amrits_with_ours_beside(
    database: Database[dict[str, Any]], mongo_url: str
) -> None:
    documents = documents_in(database, mongo_url)
    await write_one_of_each(documents)
    await documents.close()
    (stored,) = database["Amrit_Resource"].find()
    del stored["_id"]
    assert stored == {
        "hipId": HIP,
        "VisitCode": "88120",
        "ResourceType": "Prescription",
        "ResourceJson": '{"resourceType":"Bundle"}',
        "CreateDate": NOW,
        "version": 3,
        "sha256": BUNDLE.sha256,
        "size": 25,
        "invalid": True,
        "issues": [
            {
                "severity": "error",
                "rule": "min",
                "profile": "p",
                "path": "x",
                "found": "0",
                "expected": "1",
                "message": "m",
                "fix": "f",
            }
        ],
    }


async def test_a_repeat_changes_nothing_and_a_cut_body_is_gone(
    database: Database[dict[str, Any]], mongo_url: str
) -> None:
    """RET-01 for the projection; the first writer's date stays."""
    documents = documents_in(database, mongo_url)
    await write_one_of_each(documents)
    (before,) = database["NDHMResponse"].find()
    assert json.loads(before["responsedata"]) == {"SealedBody": "Af8="}
    await documents.put_gateway_response(HIP, RequestId("r-1"), path="/p", sealed_body=b"\x01\xff", now=LATER)
    assert list(database["NDHMResponse"].find()) == [before]
    await documents.put_gateway_response(HIP, RequestId("r-1"), path="/p", sealed_body=None, now=LATER)
    await documents.put_gateway_response(HIP, RequestId("r-1"), path="/q", sealed_body=None, now=LATER)
    await documents.close()
    cut, other = database["NDHMResponse"].find().sort("path")
    assert cut == {**before, "responsedata": None}
    assert (other["path"], other["createdDate"], other["requestid"]) == ("/q", LATER, "r-1")


async def test_a_link_token_document_shows_no_token(database: Database[dict[str, Any]], mongo_url: str) -> None:
    documents = documents_in(database, mongo_url)
    await write_one_of_each(documents)
    address = AbhaAddress("m@sbx")
    for request_id, token, code in (("r-1", None, None), ("r-2", None, "ABDM-1026"), ("r-3", b"\x01\xfe", None)):
        await documents.put_link_token(
            HIP, RequestId(request_id), abha_address=address, sealed_token=token, error_code=code, now=LATER
        )
    await documents.close()
    dropped, refused, issued = database["GenerateLinkTokenResponse"].find().sort("requestId")
    assert (dropped["response"], dropped["createdDate"]) == (None, NOW)
    assert json.loads(refused["response"]) == {"Error": {"Code": "ABDM-1026"}}
    assert json.loads(issued["response"]) == {"SealedLinkToken": "Af4="}
    assert issued["abhaAddress"] == "m@sbx"
    assert issued["hipId"] == HIP


async def test_opening_makes_no_index_and_the_upgrade_makes_them_all(
    database: Database[dict[str, Any]], mongo_url: str
) -> None:
    documents = documents_in(database, mongo_url)
    await write_one_of_each(documents)
    assert set(database["Amrit_Resource"].index_information()) == {"_id_"}
    for _ in range(2):
        await documents.ensure_indexes()
    await documents.close()
    for name in ("Amrit_Resource", "NDHMResponse", "GenerateLinkTokenResponse", "PatientCareContexts"):
        unique = [index for index in database[name].index_information().values() if index.get("unique")]
        assert [index["key"][0][0] for index in unique] == ["hipId"]


async def test_amrits_own_documents_do_not_hinder_ours(database: Database[dict[str, Any]], mongo_url: str) -> None:
    theirs = {"VisitCode": "88120", "ResourceType": "Prescription", "ResourceJson": "{}"}
    database["AMRIT_Resource"].insert_many([dict(theirs), dict(theirs)])
    documents = documents_in(database, mongo_url, AMRIT)
    await documents.ensure_indexes()
    await documents.put(BUNDLE)
    assert await documents.get(BUNDLE.key, BUNDLE.version) == BUNDLE.content
    await documents.close()
    assert database["AMRIT_Resource"].count_documents({"VisitCode": "88120"}) == 3


def test_writes_wait_for_a_majority_and_the_journal_whatever_the_url_says(mongo_url: str) -> None:
    documents = MongoDocuments(f"{mongo_url.partition('?')[0]}?w=1&journal=false", "unused")
    assert documents._database.write_concern.document == {"w": "majority", "j": True, "wtimeout": 15000}


def test_each_event_loop_has_its_own_store(database: Database[dict[str, Any]], mongo_url: str) -> None:
    async def job(version: int) -> bytes | None:
        documents = documents_in(database, mongo_url)
        try:
            await documents.open()
            await documents.put(BUNDLE)
            return await documents.get(BUNDLE.key, version)
        finally:
            await documents.close()

    assert asyncio.run(job(3)) == asyncio.run(job(3)) == BUNDLE.content


async def test_the_first_use_opens_the_store(database: Database[dict[str, Any]], mongo_url: str) -> None:
    documents = documents_in(database, mongo_url)
    assert await asyncio.gather(*(documents.get(BUNDLE.key, version) for version in range(8))) == [None] * 8
    await documents.ping()
    await documents.close()


async def test_a_closed_store_is_transient(database: Database[dict[str, Any]], mongo_url: str) -> None:
    documents = documents_in(database, mongo_url)
    await documents.put(BUNDLE)
    await documents.close()
    with pytest.raises(StorageFailed):
        await documents.get(BUNDLE.key, BUNDLE.version)


async def test_a_server_that_is_away_fails_opening_and_pinging() -> None:
    documents = MongoDocuments("mongodb://127.0.0.1:9/", "away", found_within=timedelta(milliseconds=50))
    try:
        for attempt in (documents.open, documents.ping, documents.ensure_indexes):
            with pytest.raises(StorageFailed, match="did not answer"):
                await attempt()
    finally:
        await documents.close()

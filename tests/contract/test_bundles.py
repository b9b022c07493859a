"""``Bundles`` in memory and in MongoDB: exact bytes, by key and version."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.contract.conftest import Documents

from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.mongo.database import MongoDocuments
from hip.domain.bundles import Bundle, BundleKey, Issue, Severity
from hip.domain.errors import InvalidValue, StorageFailed
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


@pytest.fixture
def bundles(documents: Documents) -> Documents:
    return documents


@pytest.fixture
def bundle() -> Bundle:
    """A bundle of a HIP that no other test uses."""
    return Bundle(
        key=BundleKey(hip_id=HipId(f"IN{uuid4()}"), visit_code=VisitCode("88120"), hi_type=HiType.PRESCRIPTION),
        version=1,
        content=b'{"resourceType":"Bundle","type":"document"}',
        valid=True,
        composed_at=datetime(2026, 3, 12, 5, 0, tzinfo=UTC),
    )


async def test_a_bundle_that_was_never_put_is_none(bundles: Documents, bundle: Bundle) -> None:
    assert await bundles.get(bundle.key, 1) is None


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"",
        '{"name":"मीरा कुलकर्णी","icon":"🩺"}'.encode(),
        b'{\r\n\t"a" : 1.10 ,  "b":"\\u0000\\ud83e"}\n\n',
        '\ufeff{"bom": true}'.encode(),
        b'{"nul": "\x00", "line": "\xe2\x80\xa8"}',
        json.dumps({"text": "x" * 1_000_000}).encode(),
    ],
    ids=["object", "empty", "unicode", "spaces", "bom", "control", "large"],
)
async def test_the_exact_bytes_come_back(bundles: Documents, bundle: Bundle, content: bytes) -> None:
    await bundles.put(replace(bundle, content=content))
    assert await bundles.get(bundle.key, 1) == content


async def test_a_version_is_replaced_and_other_versions_stay(bundles: Documents, bundle: Bundle) -> None:
    await bundles.put(bundle)
    await bundles.put(replace(bundle, version=2, content=b'{"version":2}'))
    await bundles.put(replace(bundle, version=2, content=b'{"version":"2 again"}', valid=False))
    assert await bundles.get(bundle.key, 1) == bundle.content
    assert await bundles.get(bundle.key, 2) == b'{"version":"2 again"}'
    assert await bundles.get(bundle.key, 3) is None


@pytest.mark.parametrize(
    "other",
    [{"hip_id": HipId("IN0000000000")}, {"visit_code": VisitCode("88121")}, {"hi_type": HiType.INVOICE}],
    ids=["hip", "visit", "type"],
)
async def test_nothing_is_found_under_another_key(bundles: Documents, bundle: Bundle, other: dict[str, object]) -> None:
    await bundles.put(bundle)
    assert await bundles.get(replace(bundle.key, **other), 1) is None


async def test_putting_at_the_same_moment_stores_one(bundles: Documents, bundle: Bundle) -> None:
    contents = [f'{{"writer":{number}}}'.encode() for number in range(10)]
    await asyncio.gather(*(bundles.put(replace(bundle, content=content)) for content in contents))
    assert await bundles.get(bundle.key, 1) in contents


async def test_an_invalid_bundle_is_kept_with_its_issues(bundles: Documents, bundle: Bundle) -> None:
    await bundles.put(replace(bundle, valid=False, issues=(issue(),) * 500))
    assert await bundles.get(bundle.key, 1) == bundle.content


async def test_the_issues_of_a_version_come_back_in_their_order(bundles: Documents, bundle: Bundle) -> None:
    warning = replace(issue(), severity=Severity.WARNING, rule="shown-as-na", path="Bundle.entry[1]", found="मीरा")
    await bundles.put(replace(bundle, valid=False, issues=(issue(), warning)))
    await bundles.put(replace(bundle, version=2))
    assert await bundles.issues(bundle.key, 1) == (replace(issue(), found="nothing ?"), warning)
    assert await bundles.issues(bundle.key, 2) == ()
    assert await bundles.issues(bundle.key, 3) is None
    assert await bundles.issues(replace(bundle.key, hip_id=HipId("IN0000000000")), 1) is None


async def test_a_version_that_is_put_again_has_its_new_issues_only(bundles: Documents, bundle: Bundle) -> None:
    await bundles.put(replace(bundle, valid=False, issues=(issue(),) * 3))
    await bundles.put(bundle)
    assert await bundles.issues(bundle.key, 1) == ()


async def test_almost_sixteen_mebibytes_fit_and_more_is_a_clear_refusal(bundles: Documents, bundle: Bundle) -> None:
    largest = b"x" * (16 * MIB - 64 * 1024)
    await bundles.put(replace(bundle, content=largest))
    assert await bundles.get(bundle.key, 1) == largest
    with pytest.raises(InvalidValue, match="16 MiB") as refusal:
        await bundles.put(replace(bundle, content=largest + b"x"))
    assert refusal.value.field == "bundle.content"
    with pytest.raises(InvalidValue, match="issues"):
        await bundles.put(replace(bundle, content=largest, issues=(issue(),)))
    assert await bundles.get(bundle.key, 1) == largest


async def test_bytes_that_are_not_utf8_are_refused(bundles: Documents, bundle: Bundle) -> None:
    with pytest.raises(InvalidValue, match="UTF-8"):
        await bundles.put(replace(bundle, content=b'{"name":"\xff\xfe"}'))
    assert await bundles.get(bundle.key, 1) is None


async def test_a_store_that_is_away_is_transient(bundle: Bundle) -> None:
    memory = MemoryDocuments()
    memory.down = True
    mongo = MongoDocuments("mongodb://127.0.0.1:9/", "away", found_within=timedelta(milliseconds=50))
    try:
        for documents in (memory, mongo):
            with pytest.raises(StorageFailed) as failure:
                await documents.put(bundle)
            assert failure.value.__suppress_context__ or failure.value.__context__ is None
            with pytest.raises(StorageFailed):
                await documents.get(bundle.key, 1)
            with pytest.raises(StorageFailed):
                await documents.issues(bundle.key, 1)
    finally:
        await mongo.close()
    memory.down = False
    await memory.put(bundle)
    assert await memory.get(bundle.key, 1) == bundle.content


def issue() -> Issue:
    return Issue(
        severity=Severity.ERROR,
        rule="min",
        profile="",
        path="Bundle.entry[0]",
        found="nothing \ud83e",
        expected="one",
        message="An entry is missing",
        fix="Add it",
    )


async def test_many_bundles_are_put_together_and_again(bundles: Documents, bundle: Bundle) -> None:
    await bundles.put_all([])
    many = [replace(bundle, version=version, content=f'{{"n":{version}}}'.encode()) for version in range(1, 30)]
    await bundles.put_all(many)
    await bundles.put_all([*many[:5], replace(many[5], content=b'{"n":"again"}')])
    assert await bundles.get(bundle.key, 5) == many[4].content
    assert await bundles.get(bundle.key, 6) == b'{"n":"again"}'
    assert await bundles.get(bundle.key, 29) == many[28].content
    with pytest.raises(InvalidValue):
        await bundles.put_all([bundle, replace(bundle, content=b"\xff")])

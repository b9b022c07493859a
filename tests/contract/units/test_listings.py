"""Every list: newest first, of one HIP or all, since a moment, so many."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from tests.builders.consents import a_consent
from tests.builders.conversations import a_callback, an_audit_entry, an_exchange
from tests.builders.decisions import a_decision
from tests.builders.links import HIP, OTHER_HIP, a_care_context, a_link_request
from tests.builders.moments import MINUTE, NOW
from tests.builders.stored_visits import a_bundle_key, a_bundle_record, a_stored_visit
from tests.builders.transfers import a_transfer

from hip.application.storage import Listing, UnitOfWork, Units
from hip.domain.identifiers import HipId

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One collection: ``write`` a thing called ``key`` at a moment, and list the keys."""

    write: Callable[[UnitOfWork, HipId, str, datetime], Awaitable[Any]]
    collection: Callable[[UnitOfWork], Any]
    key: Callable[[Any], str]

    async def keys(self, uow: UnitOfWork, listing: Listing) -> Sequence[str]:
        return [self.key(each) for each in await self.collection(uow).list(listing)]


COLLECTIONS = {
    "callbacks": Listed(
        write=lambda uow, hip, key, at: uow.callbacks.add(
            a_callback(hip_id=hip, id=key, request_id=key, received_at=at)
        ),
        collection=lambda uow: uow.callbacks,
        key=lambda callback: callback.id,
    ),
    "exchanges": Listed(
        write=lambda uow, hip, key, at: uow.exchanges.save(an_exchange(hip_id=hip, id_=key, request_id=key, now=at)),
        collection=lambda uow: uow.exchanges,
        key=lambda exchange: exchange.id,
    ),
    "link_requests": Listed(
        write=lambda uow, hip, key, at: uow.link_requests.save(
            a_link_request(hip_id=hip, reference=key, created_at=at)
        ),
        collection=lambda uow: uow.link_requests,
        key=lambda request: request.reference,
    ),
    "care_contexts": Listed(
        write=lambda uow, hip, key, at: uow.care_contexts.save(
            a_care_context(hip_id=hip, reference=key, clinical_date=at)
        ),
        collection=lambda uow: uow.care_contexts,
        key=lambda context: context.reference,
    ),
    "visits": Listed(
        write=lambda uow, hip, key, at: uow.visits.save(a_stored_visit(hip_id=hip, visit_code=key, received_at=at)),
        collection=lambda uow: uow.visits,
        key=lambda visit: visit.record.visit_code,
    ),
    "bundles": Listed(
        write=lambda uow, hip, key, at: uow.bundles.add(
            a_bundle_record(key=a_bundle_key(hip_id=hip, visit_code=key), composed_at=at)
        ),
        collection=lambda uow: uow.bundles,
        key=lambda record: record.key.visit_code,
    ),
    "consents": Listed(
        write=lambda uow, hip, key, at: uow.consents.save(a_consent(hip_id=hip, consent_id=key, received_at=at)),
        collection=lambda uow: uow.consents,
        key=lambda consent: consent.consent_id,
    ),
    "decisions": Listed(
        write=lambda uow, hip, key, at: uow.decisions.append(a_decision(hip_id=hip, consent_id=key, at=at)),
        collection=lambda uow: uow.decisions,
        key=lambda decision: decision.consent_id,
    ),
    "transfers": Listed(
        write=lambda uow, hip, key, at: uow.transfers.add(a_transfer(hip_id=hip, transaction_id=key, requested_at=at)),
        collection=lambda uow: uow.transfers,
        key=lambda transfer: transfer.transaction_id,
    ),
    "audit": Listed(
        write=lambda uow, hip, key, at: uow.audit.append(an_audit_entry(hip_id=hip, subject=key, at=at)),
        collection=lambda uow: uow.audit,
        key=lambda entry: entry.subject,
    ),
}


@pytest.fixture(params=COLLECTIONS)
def listed(request: pytest.FixtureRequest) -> Listed:
    return COLLECTIONS[request.param]


async def test_a_list_is_newest_first_and_as_long_as_asked(units: Units, listed: Listed) -> None:
    async with units() as uow:
        for key, minutes in (("second", 1), ("fourth", 3), ("first", 0), ("third", 2)):
            await listed.write(uow, HIP, key, NOW + minutes * MINUTE)
        await uow.commit()
    async with units() as uow:
        assert await listed.keys(uow, Listing()) == ["fourth", "third", "second", "first"]
        assert await listed.keys(uow, Listing(limit=2)) == ["fourth", "third"]
        assert await listed.keys(uow, Listing(limit=0)) == []


async def test_of_one_instant_the_later_written_comes_first(units: Units, listed: Listed) -> None:
    async with units() as uow:
        for key in ("b", "a", "d", "c"):
            await listed.write(uow, HIP, key, NOW)
        await uow.commit()
    async with units() as uow:
        assert await listed.keys(uow, Listing()) == ["c", "d", "a", "b"]


async def test_since_belongs_to_the_list(units: Units, listed: Listed) -> None:
    async with units() as uow:
        for key, minutes in (("before", 0), ("then", 1), ("after", 2)):
            await listed.write(uow, HIP, key, NOW + minutes * MINUTE)
        assert await listed.keys(uow, Listing(since=NOW + MINUTE)) == ["after", "then"]
        assert await listed.keys(uow, Listing(since=NOW + 3 * MINUTE)) == []


async def test_a_list_is_of_one_hip_or_of_all(units: Units, listed: Listed) -> None:
    async with units() as uow:
        await listed.write(uow, HIP, "ours", NOW)
        await listed.write(uow, OTHER_HIP, "theirs", NOW + MINUTE)
        assert await listed.keys(uow, Listing(hip_id=HIP)) == ["ours"]
        assert await listed.keys(uow, Listing(hip_id=OTHER_HIP, since=NOW)) == ["theirs"]
        assert await listed.keys(uow, Listing(hip_id=HipId("IN0000000000"))) == []
        assert await listed.keys(uow, Listing()) == ["theirs", "ours"]


async def test_an_empty_list_is_empty(units: Units, listed: Listed) -> None:
    async with units() as uow:
        assert await listed.keys(uow, Listing()) == []


async def test_aud_01_an_audit_entry_comes_back_as_it_was(units: Units) -> None:
    async with units() as uow:
        await uow.audit.append(an_audit_entry())
        await uow.audit.append(an_audit_entry(detail=()))
        await uow.commit()
    async with units() as uow:
        assert await uow.audit.list(Listing()) == [an_audit_entry(detail=()), an_audit_entry()]

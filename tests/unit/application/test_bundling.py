"""Visit → document → verdict → store: what becomes of invalid bundles, and how they are mended."""

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.builders.faults import Fault, FaultyComposer, untitled_prescriptions, untitled_unless_routed
from tests.builders.flows import HIP, House, an_artefact
from tests.builders.visits import a_visit

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.application.bundling import KEPT_ISSUES, BuildBundle, kept
from hip.application.rebuilds import RebuildVisit
from hip.application.storage import Listing, Topic
from hip.domain.bundles import BundleKey, BundleRecord, Issue, Severity, ValidationReport
from hip.domain.errors import NotFound
from hip.domain.exchanges import Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, HipId, VisitCode
from hip.domain.visits import VisitRecord

CODE = VisitCode("88120")
PRESCRIPTION = BundleKey(hip_id=HIP, visit_code=CODE, hi_type=HiType.PRESCRIPTION)
UNROUTED = a_visit(medications=(replace(a_visit().medications[0], route=None),))


class FhirHouse(House):
    """The service with the real validator, and a composer that may have a fault."""

    def __init__(self, fault: Fault | None = None) -> None:
        super().__init__()
        self.composer = FaultyComposer(fault)
        self.handlers[Topic.BUNDLE] = BuildBundle(
            self.units, self.documents, self.composer, NrcesValidator(), self.facilities, self.clock
        )
        self.rebuild = RebuildVisit(self.units, self.clock)

    async def take_in_later(self, record: VisitRecord) -> None:
        self.clock.advance(timedelta(minutes=5))
        await self.take_in(record)
        await self.work()

    async def newest(self) -> dict[HiType, BundleRecord]:
        async with self.units() as uow:
            return {record.key.hi_type: record for record in await uow.bundles.of_visit(HIP, CODE)}

    async def served(self, key: BundleKey = PRESCRIPTION) -> BundleRecord | None:
        async with self.units() as uow:
            return await uow.bundles.servable(key)

    async def errors(self, version: int, key: BundleKey = PRESCRIPTION) -> list[str]:
        issues = await self.documents.issues(key, version)
        assert issues is not None
        return [f"{issue.rule} {issue.path}" for issue in issues if issue.severity is Severity.ERROR]

    async def linked(self) -> bool:
        async with self.units() as uow:
            context = await uow.care_contexts.get(HIP, CareContextReference(CODE))
        return context is not None and context.linked

    async def content(self, version: int) -> dict[str, Any]:
        stored = await self.documents.get(PRESCRIPTION, version)
        assert stored is not None
        bundle: dict[str, Any] = json.loads(stored)
        return bundle


def test_link_05_an_invalid_bundle_is_kept_with_its_issues_and_nothing_is_linked_or_told():
    async def story() -> None:
        house = FhirHouse(untitled_prescriptions)
        await house.take_in()
        await house.work()
        newest = await house.newest()
        assert {hi_type: record.valid for hi_type, record in newest.items()} == {
            HiType.OP_CONSULTATION: True,
            HiType.PRESCRIPTION: False,
            HiType.WELLNESS_RECORD: True,
        }
        assert await house.errors(1) == ["min Bundle.entry[0].resource.title"]
        assert "title" not in (await house.content(1))["entry"][0]["resource"]
        assert await house.served() is None
        assert house.gateway.calls == []
        assert not await house.linked()

    asyncio.run(story())


def test_a_corrected_source_makes_a_new_version_and_the_visit_goes_on_to_linking():
    async def story() -> None:
        house = FhirHouse(untitled_unless_routed)
        await house.take_in(UNROUTED)
        await house.work()
        assert house.gateway.calls == []
        await house.take_in_later(a_visit())
        newest = await house.newest()
        assert {(record.version, record.valid) for record in newest.values()} == {(2, True)}
        assert await house.errors(2) == []
        assert await house.errors(1) == ["min Bundle.entry[0].resource.title"], "the history stays"
        await house.answer_token()
        await house.work()
        await house.answer_link()
        assert await house.linked()

    asyncio.run(story())


def test_the_last_valid_version_is_served_while_a_newer_one_is_invalid():
    async def story() -> None:
        house = FhirHouse(untitled_unless_routed)
        await house.link()
        first = await house.documents.get(PRESCRIPTION, 1)
        assert first is not None
        await house.take_in_later(UNROUTED)
        newest = (await house.newest())[HiType.PRESCRIPTION]
        assert (newest.version, newest.valid) == (2, False)
        served = await house.served()
        assert served is not None
        assert (served.version, served.sha256) == (1, hashlib.sha256(first).hexdigest())

        artefact = an_artefact()
        await house.grant(replace(artefact, hi_types=frozenset({HiType.PRESCRIPTION})))
        await house.ask(artefact)
        await house.work()
        [page] = house.pusher.pages
        assert page.checksums == (hashlib.md5(first).hexdigest(),), "version 1 left, and only it"

    asyncio.run(story())


def test_a_consent_for_what_was_never_valid_gets_nothing():
    async def story() -> None:
        house = FhirHouse(untitled_prescriptions)
        await house.take_in()
        await house.work()
        artefact = an_artefact()
        await house.grant(artefact)
        await house.ask(artefact)
        await house.work()
        assert house.pusher.pages == []

    asyncio.run(story())


def test_a_rebuild_after_a_mended_release_completes_and_links_the_visit():
    async def story() -> None:
        house = FhirHouse(untitled_prescriptions)
        await house.take_in()
        await house.work()
        house.composer.fault = None
        visit = await house.rebuild(HIP, CODE, actor="command line")
        assert visit.version == 2
        await house.work()
        assert {(record.version, record.valid) for record in (await house.newest()).values()} == {(2, True)}
        await house.answer_token()
        await house.work()
        await house.answer_link()
        assert await house.linked()

    asyncio.run(story())


def test_a_rebuild_makes_the_same_document_but_for_its_version_and_does_not_link_again():
    async def story() -> None:
        house = FhirHouse()
        await house.link()
        calls = len(house.gateway.calls)
        house.clock.advance(timedelta(days=1))
        await house.rebuild(HIP, CODE, actor="command line")
        await house.work()
        first, second = await house.content(1), await house.content(2)
        assert (first["meta"].pop("versionId"), second["meta"].pop("versionId")) == ("1", "2")
        assert first == second
        assert len(house.gateway.calls) == calls

    asyncio.run(story())


def test_a_rebuild_that_turns_out_invalid_takes_nothing_away():
    async def story() -> None:
        house = FhirHouse()
        await house.link()
        house.composer.fault = untitled_prescriptions
        await house.rebuild(HIP, CODE, actor="command line")
        await house.work()
        served = await house.served()
        assert served is not None
        assert served.version == 1
        assert (await house.newest())[HiType.PRESCRIPTION].version == 2
        assert await house.linked()

    asyncio.run(story())


def test_aud_01_a_rebuild_is_written_down_and_the_record_stays_as_it_was_received():
    async def story() -> None:
        house = FhirHouse()
        await house.take_in()
        async with house.units() as uow:
            before = await uow.visits.get(HIP, CODE)
        await house.rebuild(HIP, CODE, actor="ravi")
        async with house.units() as uow:
            after = await uow.visits.get(HIP, CODE)
            entries = [one for one in await uow.audit.list(Listing(hip_id=HIP)) if one.action == "visit-rebuilt"]
        assert before is not None
        assert after == replace(before, version=2)
        [entry] = entries
        assert (entry.actor, entry.subject, entry.detail) == ("ravi", "88120", (("from", "1"), ("to", "2")))

    asyncio.run(story())


@pytest.mark.parametrize(("hip", "code"), [(HIP, "404"), ("IN0000000000", "88120")])
def test_cb_05_a_visit_that_is_not_the_facilitys_is_not_rebuilt(hip: str, code: str):
    async def story() -> None:
        house = FhirHouse()
        await house.take_in()
        await house.work()
        with pytest.raises(NotFound):
            await house.rebuild(HipId(hip), VisitCode(code), actor="command line")
        assert await house.lease() == []

    asyncio.run(story())


def test_building_twice_gives_the_same_bytes_and_one_version():
    async def story() -> None:
        house = FhirHouse()
        await house.take_in()
        await house.work()
        first = await house.documents.get(PRESCRIPTION, 1)
        await house.handlers[Topic.BUNDLE](HIP, f"{CODE}|Prescription")
        assert await house.documents.get(PRESCRIPTION, 1) == first
        assert await house.documents.get(PRESCRIPTION, 2) is None
        assert first == FhirComposer().compose(a_visit(), HiType.PRESCRIPTION, facility=house.facilities.all()[0])
        assert house.gateway.of(Flow.GENERATE_TOKEN)

    asyncio.run(story())


def test_of_too_many_issues_the_errors_are_kept():
    def issue(severity: Severity, number: int) -> Issue:
        return Issue(
            severity=severity,
            rule="min",
            profile="",
            path=f"Bundle.entry[{number}]",
            found="",
            expected="",
            message="",
            fix="",
        )

    few = tuple(issue(Severity.WARNING if number % 2 else Severity.ERROR, number) for number in range(KEPT_ISSUES))
    assert kept(ValidationReport(issues=few)) == few
    many = tuple(issue(Severity.WARNING, number) for number in range(KEPT_ISSUES)) + few
    held = kept(ValidationReport(issues=many))
    assert len(held) == KEPT_ISSUES
    assert [one for one in held if one.severity is Severity.ERROR] == [
        one for one in few if one.severity is Severity.ERROR
    ]
    assert held[KEPT_ISSUES // 2 :] == many[: KEPT_ISSUES // 2]

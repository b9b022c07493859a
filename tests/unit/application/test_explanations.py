"""What was decided can be asked for by everything it is about, and whoever asks is written down (AUD-01)."""

import asyncio
from datetime import timedelta

import pytest
from tests.builders.flows import HIP, an_artefact
from tests.builders.openings import a_transfer_that_leaves_one_visit_behind, data_asked_for
from tests.builders.releases import audited

from hip.application.explanations import DecisionQuery
from hip.application.storage import Listing
from hip.domain.decisions import Stage, digest
from hip.domain.errors import IllegalTransition, NotFound, PushRefused
from hip.domain.identifiers import AbhaAddress, TransactionId
from hip.domain.transfers import TransferState
from hip.entrypoints.cli.decisions import explained
from hip.entrypoints.release_views import decision_view

T1 = TransactionId("t-1")


def test_a_transfer_is_explained_from_the_request_to_the_end_of_its_consent():
    async def story() -> None:
        house = await a_transfer_that_leaves_one_visit_behind()
        await house.end_consent(an_artefact().consent_id)
        found = await house.explain_release.transfer(HIP, T1, actor="test")
        stages = [decision.stage for decision in found.decisions]
        assert stages == [Stage.REQUEST, Stage.PLAN, Stage.PAGE, Stage.PAGE, Stage.PAGE, Stage.ENDED]
        lines = list(explained(found))
        assert lines[0] == f"transfer t-1 on consent {an_artefact().consent_id}: done, TRANSFERRED"
        kept = [line.strip() for line in lines if "70001" in line and "stays" in line]
        assert len(kept) == 3
        assert set(kept) == {
            f"70001 {hi_type} stays, REL-09 refuses: the record lies outside the consented dates (ABDM-1063)".replace(
                " stays", ": stays"
            )
            for hi_type in {line.split()[1].rstrip(":") for line in kept}
        }
        assert not any("meera" in line for line in lines)
        assert await audited(house, "transfer-viewed") == [{"decisions": "6"}]
        with pytest.raises(NotFound):
            await house.explain_release.transfer(HIP, TransactionId("t-9"), actor="test")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (DecisionQuery(consent_id=an_artefact().consent_id), 5),
        (DecisionQuery(transaction_id=T1), 5),
        (DecisionQuery(patient=AbhaAddress("meera.k01@sbx")), 5),
        (DecisionQuery(requester="HIU-1"), 5),
        (DecisionQuery(patient=AbhaAddress("asha.p@sbx")), 0),
        (DecisionQuery(requester="HIU-2", consent_id=an_artefact().consent_id), 0),
    ],
)
def test_decisions_are_found_by_consent_transaction_patient_and_requester(query: DecisionQuery, found: int):
    async def story() -> None:
        house = await a_transfer_that_leaves_one_visit_behind()
        decisions = await house.explain_release.decisions([HIP], query, Listing(hip_id=None, limit=50), actor="test")
        assert len(decisions) == found
        [looked] = await audited(house, "decisions-viewed")
        assert looked["found"] == str(found)
        assert "meera" not in repr(looked)
        if query.patient is not None:
            assert looked["patient"] == digest(query.patient.text)

    asyncio.run(story())


def test_a_decision_is_shown_with_every_rule_in_words():
    async def story() -> None:
        house = await a_transfer_that_leaves_one_visit_behind()
        found = await house.explain_release.transfer(HIP, T1, actor="test")
        shown = decision_view(found.decisions[1])
        assert (shown["stage"], shown["verdict"], shown["leaving"], shown["kept"]) == ("plan", "permitted", 3, 3)
        assert {result["rule"] for result in shown["results"]} >= {"REL-01", "REL-20", "REL-23"}
        assert all(result["title"] for result in shown["results"])

    asyncio.run(story())


def test_rel_21_a_dry_run_of_a_retry_says_that_the_gate_would_refuse_and_changes_nothing():
    async def story() -> None:
        house = await data_asked_for()
        house.pusher.errors = [PushRefused(status=403)] * 3
        await house.work()
        would, refusal = await house.retry_transfer.rehearse(HIP, T1)
        assert (would.state, refusal) == (TransferState.PUSHING, None)
        await house.end_consent(an_artefact().consent_id)
        would, refusal = await house.retry_transfer.rehearse(HIP, T1)
        assert refusal is not None
        assert refusal.rule == "REL-02"
        async with house.units() as uow:
            kept = await uow.transfers.get(HIP, T1)
        assert kept is not None
        assert (kept.state, kept.retries) == (TransferState.DONE, 0)
        await house.retry_transfer(HIP, T1, actor="test")
        await house.work()
        assert house.pusher.pages == []
        house.clock.advance(timedelta(minutes=1))
        with pytest.raises(NotFound):
            await house.retry_transfer.rehearse(HIP, TransactionId("t-9"))

    asyncio.run(story())


def test_aud_01_every_page_has_its_entry_in_the_audit_whether_it_was_taken_or_not():
    async def story() -> None:
        house = await data_asked_for()
        house.pusher.errors = [PushRefused(status=403)]
        await house.work()
        errored, delivered = await audited(house, "page-errored"), await audited(house, "page-delivered")
        assert len(errored) == 1
        assert sorted(entry["page"] for entry in (*errored, *delivered)) == ["1", "2", "3"]
        assert {entry["context"] for entry in (*errored, *delivered)} == {"88120"}

    asyncio.run(story())


def test_a_transfer_that_was_taken_is_not_rehearsed():
    async def story() -> None:
        house = await a_transfer_that_leaves_one_visit_behind()
        with pytest.raises(IllegalTransition):
            await house.retry_transfer.rehearse(HIP, T1)

    asyncio.run(story())

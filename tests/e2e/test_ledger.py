"""The books find what is lost and what is doubled, and let pass what is right."""

from typing import Any

from tests.e2e.ledger import REPEATED, questions

from hip.entrypoints.sandbox.views import JournalEntry

SHARE, ON_SHARE = "/api/v3/hip/patient/share", "/patient-share/v3/on-share"


def put(request_id: str, *, note: str = "", status: int = 202, **body: Any) -> JournalEntry:
    content = {"intent": "PROFILE_SHARE", **body}
    return JournalEntry(
        number=1, at="", direction="out", method="POST", path=SHARE, status=status, request_id=request_id, note=note,
        body=content,
    )  # fmt: skip


def answer(request_id: str, *, status: int = 202, code: str | None = None) -> JournalEntry:
    content = {"response": {"requestId": request_id}}
    return JournalEntry(
        number=1, at="", direction="in", method="POST", path=ON_SHARE, status=status, code=code, body=content
    )


def faults(*entries: JournalEntry) -> list[str]:
    ways = [[each for each in entries if each.direction == direction] for direction in ("out", "in")]
    return [each.fault for each in questions(*ways).values() if each.fault]


def test_one_answer_to_what_came_several_times_is_right() -> None:
    assert faults(put("a"), put("a", note="duplicate"), put("b", note=REPEATED), answer("b")) == []


def test_a_question_without_an_answer_is_lost() -> None:
    assert len(faults(put("a"), put("b", context="2"), answer("b"))) == 1


def test_two_answers_that_were_both_taken_are_one_too_many() -> None:
    assert len(faults(put("a"), put("b", note=REPEATED), answer("a"), answer("b"))) == 1


def test_a_refused_answer_is_not_silence_and_a_report_or_an_undelivered_question_demands_none() -> None:
    assert faults(put("a"), answer("a", status=400, code="ABDM-1052")) == []
    assert faults(put("a", error={"code": "ABDM-1056"}), put("b", status=0)) == []

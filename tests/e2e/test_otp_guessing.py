"""Whoever guesses OTPs through the public callbacks links nothing, with thousands of guesses either (OTP-01)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from tests.e2e.outside import CONFIRM, Outside, outside_of
from tests.e2e.own_gateway import ON_CONFIRM, Json

EXAMPLES = Path(__file__).parents[2] / "examples" / "visits"
SURESH = json.loads((EXAMPLES / "02-suresh-yadav-88134.json").read_bytes())
PER_HOUR, TRIES = 5, 5
THIEVES = ("suresh.y69@sbx", "thief@sbx")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """One process in memory mode: the numbers are counted from nothing."""
    with outside_of(folder=tmp_path, HIP_STORAGE="memory") as outside:
        yield outside


def wrong(otp: str, guess: int) -> str:
    """The ``guess``-th of all that are not it."""
    return f"{(int(otp) + 1 + guess) % 1_000_000:06}"


def guess_at_once(outside: Outside, reference: str, otp: str, guesses: int) -> list[Json]:
    """Wrong OTPs, eight on their way at a time; what on-confirm said to each."""

    def send(number: int) -> str:
        confirmation = {"token": wrong(otp, number), "linkRefNumber": reference}
        return outside.gateway.notify(CONFIRM, {"requestId": None, "timestamp": None, "confirmation": confirmation})

    with ThreadPoolExecutor(max_workers=8) as threads:
        sent = list(threads.map(send, range(guesses)))
    # The last of them waits for nothing that the others do not wait for.
    return [
        outside.gateway.call(ON_CONFIRM, lambda body, id_=request_id: body["response"]["requestId"] == id_)[0]
        for request_id in sent
    ]


def steal(outside: Outside, guesses: int) -> None:
    """Search, choose and guess until no OTP is made any more; then type even the right ones."""
    patient, code = SURESH["patient"], outside.hand_over(SURESH)
    outside.show(f"/v1/visits/{code}", lambda shown: len(shown["bundles"]) == len(SURESH["hiTypes"]))
    references: list[str] = []
    for number in range(PER_HOUR):
        thief = THIEVES[number % len(THIEVES)]
        found = outside.discover(patient, abha_address=thief, mobile=patient["phone"])
        references.append(outside.choose(found, abha_address=thief))
        for told in guess_at_once(outside, references[-1], outside.otps[-1], guesses):
            assert told["error"]["code"] == "ABDM-1035"
            assert "patient" not in told
    for thief in THIEVES:
        found = outside.discover(patient, abha_address=thief, mobile=patient["phone"])
        refused = outside.pick(found, abha_address=thief)
        assert refused["error"]["code"] == "ABDM-1022"
        assert "link" not in refused
    assert len(set(references)) == len(outside.telephone.came) == PER_HOUR
    for reference, otp in zip(references, outside.otps, strict=True):
        assert outside.confirm(reference, otp)["error"]["code"] == "ABDM-1035"
    assert outside.confirm(str(uuid4()), outside.otps[0])["error"]["code"] == "ABDM-1056"
    shown = outside.hmis.get(f"/v1/visits/{code}").json()
    assert shown["linked"] is False


def test_otp_01_no_number_of_guesses_over_http_links_anything(outside: Outside) -> None:
    steal(outside, guesses=TRIES + 3)


def test_otp_01_after_four_wrong_guesses_the_patient_is_still_let_in(outside: Outside) -> None:
    """The limits are no wall against the patient, and what they refuse is what the other test refuses."""
    patient, code = SURESH["patient"], outside.hand_over(SURESH)
    outside.show(f"/v1/visits/{code}", lambda shown: len(shown["bundles"]) == len(SURESH["hiTypes"]))
    found = outside.discover(patient, abha_address=THIEVES[0], mobile=patient["phone"])
    reference = outside.choose(found, abha_address=THIEVES[0])
    guess_at_once(outside, reference, outside.otps[-1], TRIES - 1)
    assert "error" not in outside.confirm(reference, outside.otps[-1])
    outside.show(f"/v1/visits/{code}", lambda shown: shown["linked"])


@pytest.mark.soak
def test_otp_01_four_thousand_guesses_over_http_link_nothing(outside: Outside) -> None:
    steal(outside, guesses=800)

"""Link init and link confirm read into domain words (contract §2.6, §2.7)."""

import json
from typing import Any

import pytest
from tests.unit.gateway import bodies
from tests.unit.gateway.bodies import changed

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.application.gateway_events import AccountChanged, LinkConfirmAsked, LinkInitAsked, Unrecognised
from hip.domain.accounts import AccountStatus
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress

read = V3CallbackReader().read


def init(body: bytes) -> LinkInitAsked:
    event = read(bodies.INIT_PATH, body)
    assert isinstance(event, LinkInitAsked)
    return event


def otp(token: Any) -> str:
    event = read(bodies.CONFIRM_PATH, changed(bodies.CONFIRM, "confirmation.token", token))
    assert isinstance(event, LinkConfirmAsked)
    return event.otp


def test_an_init_names_the_discovery_the_patient_and_each_choice() -> None:
    event = init(changed(bodies.INIT, "abhaAddress", "Meera.K01@SBX"))
    assert (event.transaction_id, event.abha_address) == (bodies.TRANSACTION_ID, AbhaAddress("meera.k01@sbx"))
    [choice] = event.chosen
    assert (choice.patient_reference, choice.reference, choice.hi_type) == (
        "PAT-20417",
        "adm-5512",
        HiType.DISCHARGE_SUMMARY,
    )


@pytest.mark.parametrize(
    ("stated", "hi_types"),
    [
        (["DischargeSummary"], [HiType.DISCHARGE_SUMMARY]),
        ("DISCHARGE_SUMMARY", [HiType.DISCHARGE_SUMMARY]),
        (["DischargeSummary", "Invoice"], [HiType.DISCHARGE_SUMMARY, HiType.INVOICE]),
        (None, [None]),
        ([], [None]),
    ],
)
def test_an_hi_type_may_be_a_text_an_array_or_absent(stated: Any, hi_types: list[HiType | None]) -> None:
    event = init(changed(bodies.INIT, "patient.0.hiType", stated))
    assert [choice.hi_type for choice in event.chosen] == hi_types


def test_an_init_that_the_gateway_refused_itself_asks_for_nothing() -> None:
    assert read(bodies.INIT_PATH, changed(bodies.INIT_ERROR, "transactionId", "t")) == Unrecognised()


@pytest.mark.parametrize("place", ["transactionId", "abhaAddress"])
def test_an_init_without_its_patient_or_discovery_is_refused_by_name(place: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        init(changed(bodies.INIT, place))
    assert refusal.value.field == place


def test_an_init_that_chooses_nothing_is_for_the_flow_to_refuse() -> None:
    assert init(changed(bodies.INIT, "patient", [])).chosen == ()


@pytest.mark.parametrize(
    ("token", "typed"),
    [
        ("482913", "482913"),
        (482913, "482913"),
        (913, "000913"),
        (0, "000000"),
        (913.0, "000913"),
        (" 482913 ", "482913"),
    ],
)
def test_an_otp_may_be_a_text_or_a_number_that_lost_its_zeros(token: Any, typed: str) -> None:
    assert otp(token) == typed


def test_a_text_is_taken_as_it_is_typed() -> None:
    assert otp("913") == "913"


@pytest.mark.parametrize("token", [None, "", True, [], {"a": 1}, 1.5, "9" * 65])
def test_what_cannot_be_an_otp_is_refused_without_being_repeated(token: Any) -> None:
    with pytest.raises(InvalidValue) as refusal:
        otp(token)
    assert refusal.value.field == "confirmation.token"
    assert "9999" not in str(refusal.value)


def test_an_otp_is_in_no_repr() -> None:
    assert "482913" not in repr(read(bodies.CONFIRM_PATH, changed(bodies.CONFIRM, "confirmation.token", "482913")))


# --- an account is closed or reopened (contract §2.14)

MEERA = {"id": "meera.k01@sbx"}


@pytest.mark.parametrize(
    "path", ["/api/v3/patients/status/notify", "/api/v3/hip/patient/status/notify", "/v0.5/patients/status/notify"]
)
def test_an_account_may_change_on_three_paths(path: str) -> None:
    event = read(path, changed(bodies.CLOSED, "notification.status", "DELETED"))
    assert event == AccountChanged(abha_address=AbhaAddress("meera.k01@sbx"), status=AccountStatus.DELETED)


@pytest.mark.parametrize(
    "body",
    [
        {"notification": {"status": "deactivated", "patient": MEERA}},
        {"notification": {"status": "DEACTIVATED", "patient": "Meera.K01@sbx"}},
        {"notification": {"status": "DEACTIVATED", "patient": {"abhaAddress": "meera.k01@sbx"}}},
        {"notification": {"status": "DEACTIVATED", "abhaAddress": "meera.k01@sbx"}},
        {"requestId": "", "timestamp": None, "status": "OPT_OUT", "patient": MEERA},
        {"status": "Opted-Out", "abhaAddress": "meera.k01@sbx"},
    ],
)
def test_status_and_address_are_read_wherever_they_stand(body: dict[str, Any]) -> None:
    event = read(bodies.STATUS_PATH, json.dumps(body).encode())
    assert event == AccountChanged(abha_address=AbhaAddress("meera.k01@sbx"), status=AccountStatus.DEACTIVATED)


@pytest.mark.parametrize("place", ["notification.status", "notification.patient"])
def test_a_change_that_does_not_say_what_or_whose_is_refused_by_name(place: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        read(bodies.STATUS_PATH, changed(bodies.CLOSED, place))
    assert refusal.value.field.startswith("notification.")


def test_a_status_nobody_has_heard_of_closes_nothing() -> None:
    with pytest.raises(InvalidValue) as refusal:
        read(bodies.STATUS_PATH, changed(bodies.CLOSED, "notification.status", "SUSPENDED"))
    assert refusal.value.field == "notification.status"

"""The error tree: three kinds that are never mixed up, and codes that stay."""

from datetime import timedelta

import pytest

from hip.domain import discovery, errors
from hip.domain.errors import (
    Conflict,
    DomainError,
    GatewayRefused,
    HipError,
    IllegalTransition,
    InvalidValue,
    KeyMaterialRefused,
    LinkTokenRefused,
    NotFound,
    PushRefused,
    SessionRefused,
    StorageFailed,
    Transient,
    UnsafeUrl,
    Unsealable,
)


def everything_raised() -> list[type[HipError]]:
    kinds = [*vars(errors).values(), *vars(discovery).values()]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, HipError) and kind is not HipError]


@pytest.mark.parametrize("kind", everything_raised())
def test_an_error_is_either_expected_or_worth_another_try(kind: type[HipError]) -> None:
    assert issubclass(kind, DomainError) is not issubclass(kind, Transient)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DomainError("x"), "ABDM-9999"),
        (InvalidValue("name", "a text"), "ABDM-1006"),
        (NotFound("visit", "88120"), "ABDM-1001"),
        (Conflict("x"), "ABDM-1064"),
        (IllegalTransition("page", "errored", "a delivery"), "ABDM-9999"),
        (LinkTokenRefused("x"), "ABDM-1026"),
        (KeyMaterialRefused("x"), "ABDM-1006"),
        (UnsafeUrl("x"), "ABDM-1006"),
        (PushRefused(status=403), "ABDM-9999"),
        (Unsealable("x"), "ABDM-9999"),
        (GatewayRefused(call="on-init", code="ABDM-1107", status=400), "ABDM-1107"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_expected_error_has_its_code(error: DomainError, code: str) -> None:
    assert error.code == code


def test_a_code_of_ones_own_does_not_change_the_kinds() -> None:
    assert InvalidValue("hipId", "a facility", code="ABDM-1035").code == "ABDM-1035"
    assert InvalidValue("name", "a text").code == "ABDM-1006"


def test_messages_name_the_place_and_what_was_expected() -> None:
    wrong = InvalidValue("patient.phone", "ten digits")
    assert (str(wrong), wrong.field, wrong.expected) == (
        "patient.phone: expected ten digits",
        "patient.phone",
        "ten digits",
    )
    assert str(NotFound("visit", "88120")) == "visit 88120 is not known"
    assert str(IllegalTransition("page", "errored", "a delivery")) == "a page in state errored cannot take a delivery"
    assert str(PushRefused(status=403)) == "the requester refused the page with HTTP 403"


def test_a_gateways_refusal_keeps_its_prose_out_of_the_message() -> None:
    refused = GatewayRefused(call="generate-token", code="ABDM-1207", status=400, text="Meera Kulkarni is not known")
    assert (refused.call, refused.status, refused.text) == ("generate-token", 400, "Meera Kulkarni is not known")
    assert str(refused) == "generate-token was refused with ABDM-1207 (HTTP 400)"
    assert "Meera" not in repr(refused)


@pytest.mark.parametrize("kind", [Transient, StorageFailed, SessionRefused])
def test_a_transient_error_may_say_when_to_come_back(kind: type[Transient]) -> None:
    error = kind("busy", retry_after=timedelta(seconds=60), code="ABDM-1022")
    assert (error.retry_after, error.code) == (timedelta(seconds=60), "ABDM-1022")
    assert (kind("busy").retry_after, kind("busy").code) == (None, None)

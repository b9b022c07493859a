"""No name, telephone, ABHA, token, key or address of a person in any repr or error message of the domain."""

import dataclasses
import importlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from types import ModuleType
from typing import Any

import pytest
from tests.builders.consents import a_consent, an_artefact
from tests.builders.conversations import a_callback, an_exchange
from tests.builders.discoveries import a_patient, a_query, always
from tests.builders.links import HIP, OTHER_HIP, a_care_context, a_discovery, a_link_request, a_link_token
from tests.builders.moments import NOW
from tests.builders.stored_visits import a_bundle_key, a_bundle_record, a_trigger
from tests.builders.transfers import a_health_information_request, a_page, a_transfer

from hip.domain import identifiers
from hip.domain.bundles import Bundle, Issue, Severity, ValidationReport
from hip.domain.consents import ConsentStatus, DateRange
from hip.domain.discovery import PatientIdentifiers, match_patient
from hip.domain.errors import DomainError, GatewayRefused
from hip.domain.exchanges import Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, AbhaNumber, LinkReference, RequestId
from hip.domain.key_material import KeyMaterial, SealedPage
from hip.domain.links import LinkStatus, LinkToken
from hip.domain.pages import PageState, context_statuses
from hip.domain.patients import Address, Gender
from hip.domain.transfers import TransferState

CANARIES = {
    "name": "Kanarika Pakshi",
    "phone": "9123454321",
    "abha number": "47650000321098",
    "abha number, dashed": "47-6500-0032-1098",
    "abha number, all but its end": "4765000032",
    "abha address": "kanarika.pakshi",
    "email": "canary@post.example",
    "street": "12 Canary Lane",
    "district": "Canarypur",
    "pincode": "999123",
    "birth date": "1971-02-28",
    "birth date, in Python": "date(1971, 2, 28)",
    "link token": "canary-link-token",
    "public key": "Q2FuYXJ5S2V5",
    "nonce": "Q2FuYXJ5Tm9uY2U",
    "ciphertext": "Q2FuYXJ5Q2lwaGVy",
    "push address": "canary-requester.example",
    "clinical text": "canary fever",
    "raw body": "canary body",
    "hospital number": "CANARY-MR",
}
NAME, PHONE, EMAIL = CANARIES["name"], CANARIES["phone"], CANARIES["email"]
NUMBER = AbhaNumber(CANARIES["abha number"])
ADDRESS = AbhaAddress(CANARIES["abha address"] + "@sbx")
TOKEN = f"e30.{CANARIES['link token']}.c2ln"
KEY = KeyMaterial(public_key=CANARIES["public key"], nonce=CANARIES["nonce"], expires_at=None)
PATIENT = a_patient(
    name=NAME,
    birth_year=1971,
    birth_date=date(1971, 2, 28),
    phone=PHONE,
    email=EMAIL,
    abha_address=ADDRESS,
    abha_number=NUMBER,
    address=Address(
        line=CANARIES["street"], district=CANARIES["district"], state="Kerala", pincode=CANARIES["pincode"]
    ),
)
IDENTIFIERS = PatientIdentifiers(
    abha_addresses=frozenset({ADDRESS}),
    abha_numbers=frozenset({NUMBER}),
    mobiles=frozenset({PHONE}),
    references=frozenset({CANARIES["hospital number"]}),
)
QUERY = a_query(abha_address=ADDRESS, name=NAME, verified=IDENTIFIERS, unverified=IDENTIFIERS)
LINK_TOKEN = a_link_token(abha_address=ADDRESS, abha_number=NUMBER, value=TOKEN)
ARTEFACT = an_artefact(patient=ADDRESS)
REQUEST = a_health_information_request(
    data_push_url=f"https://{CANARIES['push address']}/push?of={NAME}", key_material=KEY
)
LINKED = a_care_context().link(ADDRESS, reference=LinkReference("link-1"), now=NOW)
ISSUE = Issue(
    severity=Severity.ERROR,
    rule="min",
    profile="",
    path="Bundle",
    found=CANARIES["clinical text"],
    expected="",
    message="",
    fix="",
)

VALUES: list[Any] = [
    ADDRESS,
    NUMBER,
    PATIENT,
    PATIENT.address,
    IDENTIFIERS,
    QUERY,
    QUERY.demographics,
    match_patient(QUERY, [PATIENT], likeness=always(1.0)),
    a_discovery(abha_address=ADDRESS),
    LINK_TOKEN,
    LINKED,
    a_link_request(abha_address=ADDRESS),
    an_exchange(business_key=str(ADDRESS)),
    an_exchange(business_key=str(ADDRESS)).attempts[0],
    a_callback(sealed_body=CANARIES["raw body"].encode()),
    a_trigger(),
    ARTEFACT,
    ARTEFACT.care_contexts[0],
    ARTEFACT.date_range,
    a_consent(artefact=ARTEFACT),
    *a_consent(artefact=ARTEFACT, status=ConsentStatus.PAUSED).permits_request(
        hip_id=OTHER_HIP, asked=ARTEFACT.date_range, now=ARTEFACT.data_erase_at
    ),
    KEY,
    SealedPage(contents=(CANARIES["ciphertext"],), key_material=KEY),
    REQUEST,
    a_transfer(request=REQUEST),
    a_page(),
    *context_statuses([a_page()]),
    a_bundle_key(),
    a_bundle_record(),
    ISSUE,
    ValidationReport(issues=(ISSUE,)),
    Bundle(
        key=a_bundle_key(),
        version=1,
        content=CANARIES["clinical text"].encode(),
        valid=False,
        composed_at=NOW,
        issues=(ISSUE,),
    ),
]


def dataclasses_of(module: ModuleType) -> Iterator[type]:
    for kind in vars(module).values():
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__:
            yield kind


@pytest.mark.parametrize(
    "name",
    [
        "bundles",
        "callbacks",
        "consents",
        "discovery",
        "exchanges",
        "identifiers",
        "key_material",
        "links",
        "patients",
        "transfers",
        "triggers",
    ],
)
def test_every_value_of_the_domain_is_in_this_sweep(name: str) -> None:
    """A new kind of value must be planted with canaries, too."""
    here = {type(value) for value in VALUES}
    assert set(dataclasses_of(importlib.import_module(f"hip.domain.{name}"))) <= here


def test_every_value_of_the_domain_is_frozen() -> None:
    for value in VALUES:
        first = dataclasses.fields(value)[0].name
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            setattr(value, first, None)
        assert not hasattr(value, "__dict__")


def leaks(text: str) -> list[str]:
    return [what for what, canary in CANARIES.items() if canary.casefold() in text.casefold()]


def test_the_sweep_would_see_a_leak() -> None:
    assert leaks(f"Patient(name='{NAME.upper()}')") == ["name"]
    assert leaks(f"{NUMBER.dashed} {ADDRESS}") == ["abha number, dashed", "abha address"]
    assert "raw body" in leaks(repr(a_callback(sealed_body=CANARIES["raw body"].encode()).sealed_body))
    planted = " ".join(str(vars_of(value)) for value in VALUES)
    assert leaks(f"{planted} {NUMBER.dashed} {PATIENT.birth_date!r}") == list(CANARIES)


def vars_of(value: Any) -> dict[str, str]:
    """Every field in the clear, down to the leaves: what a repr without care would have shown."""
    if not dataclasses.is_dataclass(value):
        return {"": str(value)}
    return {each.name: str(vars_of(getattr(value, each.name))) for each in dataclasses.fields(value)}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_no_repr_shows_a_personal_value(value: Any) -> None:
    assert leaks(repr(value)) == []
    assert leaks(repr([value])) == []
    assert leaks(f"{value!r:>5}") == []


def gateway_prose() -> None:
    raise GatewayRefused(call="generate-token", code="ABDM-1207", status=400, text=f"{NAME} {PHONE}")


def relink() -> None:
    LINKED.link(AbhaAddress("other@sbx"), reference=LinkReference("l"), now=NOW)


ERRORS: list[Callable[[], Any]] = [
    lambda: identifiers.hip_id(f"{NAME}!"),
    lambda: identifiers.reference(f"{NAME}|{PHONE}", field="reference"),
    lambda: identifiers.display(f"{NAME};{PHONE}", field="display"),
    lambda: identifiers.opaque(f"{NAME} {TOKEN}", field="requestId"),
    lambda: identifiers.phone_number(f"{PHONE}99999"),
    lambda: AbhaNumber.parse(f"{NUMBER}1"),
    lambda: AbhaAddress.parse(f"{ADDRESS}!"),
    lambda: HiType.parse(NAME),
    lambda: Gender.parse(NAME),
    lambda: replace(PATIENT, birth_year=1800),
    lambda: replace(PATIENT, birth_date=date(1971, 2, 28), birth_year=1972),
    lambda: LINK_TOKEN.require_fit(hip_id=HIP, abha_address=ADDRESS, abha_number=NUMBER, now=LINK_TOKEN.expires_at),
    lambda: LINK_TOKEN.require_fit(hip_id=OTHER_HIP, abha_address=ADDRESS, abha_number=NUMBER, now=NOW),
    lambda: LINK_TOKEN.require_fit(hip_id=HIP, abha_address=AbhaAddress("a@sbx"), abha_number=NUMBER, now=NOW),
    lambda: LINK_TOKEN.require_fit(hip_id=HIP, abha_address=ADDRESS, abha_number=None, now=NOW),
    relink,
    lambda: a_link_request(abha_address=ADDRESS, status=LinkStatus.LINKED).move(LinkStatus.READY, now=NOW),
    lambda: (
        an_exchange(flow=Flow.ON_SHARE, business_key=str(ADDRESS))
        .accept(RequestId("attempt-1"), status=202, now=NOW)
        .again(RequestId("r"), now=NOW, answer_due=None)
    ),
    lambda: an_exchange(business_key=str(ADDRESS)).accept(RequestId("stranger"), status=202, now=NOW),
    lambda: DateRange(start=NOW, end=NOW.replace(year=1971)),
    lambda: match_patient(QUERY, [], likeness=always(1.0)),
    lambda: match_patient(
        replace(QUERY, unverified=PatientIdentifiers()),
        [PATIENT, replace(PATIENT, reference=identifiers.PatientReference("PAT-2"))],
        likeness=always(1.0),
    ),
    lambda: KEY.require_usable(now=NOW),
    lambda: replace(KEY, algorithm=NAME).require_usable(now=NOW),
    lambda: replace(KEY, curve=NAME).require_usable(now=NOW),
    lambda: a_transfer(request=REQUEST, state=TransferState.DONE).attempt(now=NOW),
    lambda: a_page(state=PageState.ERRORED, reason="HTTP 403").attempted(),
    gateway_prose,
]


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that a traceback would print with it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("cause", ERRORS)
def test_no_error_shows_a_personal_value(cause: Callable[[], Any]) -> None:
    with pytest.raises(DomainError) as raised:
        cause()
    for each in chain(raised.value):
        assert leaks(str(each)) == []
        assert leaks(repr(each)) == []
        assert leaks(repr(each.args)) == []


def test_garbage_in_a_link_token_leaves_no_trace() -> None:
    token = LinkToken.issued(f"{NAME}.é.{PHONE}", hip_id=HIP, abha_address=ADDRESS, abha_number=NUMBER, now=NOW)
    assert leaks(repr(token)) == []

"""``CallbackReader``: what every reader of callbacks promises, on the contract's own examples."""

import json
from typing import Any

import pytest
from tests.unit.gateway import bodies

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.application.gateway_events import (
    ConsentNotified,
    DiscoveryAsked,
    HealthInformationAsked,
    LinkAnswered,
    NotifyAnswered,
    TokenAnswered,
    Unrecognised,
)
from hip.application.ports import CallbackReader
from hip.domain.errors import InvalidValue


@pytest.fixture
def reader() -> CallbackReader:
    return V3CallbackReader()


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        (bodies.TOKEN_PATH, bodies.TOKEN, TokenAnswered),
        (bodies.TOKEN_PATH, bodies.TOKEN_ERROR, TokenAnswered),
        (bodies.LINK_PATH, bodies.LINK, LinkAnswered),
        (bodies.CONTEXT_PATH, bodies.CONTEXT, NotifyAnswered),
        (bodies.SMS_PATH, bodies.SMS, NotifyAnswered),
        (bodies.DISCOVER_PATH, bodies.DISCOVER, DiscoveryAsked),
        (bodies.CONSENT_PATH, bodies.GRANTED, ConsentNotified),
        (bodies.CONSENT_PATH, bodies.REVOKED, ConsentNotified),
        (bodies.REQUEST_PATH, bodies.REQUEST, HealthInformationAsked),
        ("/api/v3/something/new", {"any": "thing"}, Unrecognised),
    ],
)
def test_each_example_of_the_contract_is_its_event(
    reader: CallbackReader, path: str, body: dict[str, Any], kind: type
) -> None:
    assert isinstance(reader.read(path, json.dumps(body).encode()), kind)


def test_the_same_bytes_are_always_the_same_event(reader: CallbackReader) -> None:
    for path, body in bodies.EVERY:
        content = json.dumps(body).encode()
        assert reader.read(path, content) == reader.read(path, content)


@pytest.mark.parametrize("path", sorted({path for path, _ in bodies.EVERY}))
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"nonsense"])
def test_a_body_without_what_the_flow_needs_names_a_field(reader: CallbackReader, path: str, body: bytes) -> None:
    with pytest.raises(InvalidValue) as refusal:
        reader.read(path, body)
    assert refusal.value.field
    assert refusal.value.expected


@pytest.mark.parametrize("missing", ["patient", "permission"])
def test_a_grant_that_does_not_say_what_it_allows_is_no_grant(reader: CallbackReader, missing: str) -> None:
    body = bodies.changed(bodies.GRANTED, f"notification.consentDetail.{missing}")
    with pytest.raises(InvalidValue) as refusal:
        reader.read(bodies.CONSENT_PATH, body)
    assert refusal.value.field.startswith("notification.consentDetail.")

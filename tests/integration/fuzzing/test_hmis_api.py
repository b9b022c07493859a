"""Whatever is sent to the HMIS API, its answer is one that its OpenAPI document tells of, and never a 5xx (API-03)."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.builders.edge import settings_in_memory
from tests.integration.fuzzing.changes import changed_somewhere
from tests.integration.fuzzing.examples import examples
from tests.integration.fuzzing.stores import EACH, House, opened_on

from hip.entrypoints.demo.examples import example_visits
from hip.entrypoints.demo.stages import settings_of
from hip.entrypoints.http.app import create_app
from hip.entrypoints.settings import SANDBOX_KEY

DOCUMENT = create_app(settings_of(settings_in_memory())).openapi_schema.to_schema()
OPERATIONS = {one.ok().label: one.ok() for one in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
VISITS = [json.loads(example.content) for example in example_visits()]


@pytest.fixture(scope="module", params=EACH)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened_on(request, tmp_path_factory.mktemp("hmis")) as opened:
        yield opened


def send(house: House, case: schemathesis.Case) -> httpx.Response:
    """The case as an HTTP client would send it."""
    wanted = case.as_transport_kwargs(base_url=str(house.edge.http.base_url))
    given_headers = {name: value for name, value in (wanted.pop("headers", None) or {}).items() if value is not None}
    named = ("method", "url", "params", "data", "json", "files", "cookies")
    prepared = requests.Request(
        headers={**given_headers, "X-API-Key": SANDBOX_KEY}, **{name: wanted.get(name) for name in named}
    ).prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    headers = [(_bytes(name), _bytes(value)) for name, value in prepared.headers.items()]
    return house.run(house.edge.http.request(prepared.method or "", prepared.url or "", headers=headers, content=body))


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def hold(house: House, label: str, mode: GenerationMode, count: int) -> None:
    @examples(count)
    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    def is_answered_as_documented(case: schemathesis.Case) -> None:
        case.validate_response(send(house, case), checks=CHECKS)

    is_answered_as_documented()


@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.parametrize("mode", GenerationMode)
def test_api_03_every_operation_answers_as_its_document_says(house: House, label: str, mode: GenerationMode) -> None:
    hold(house, label, mode, 4)


@pytest.mark.soak
@pytest.mark.parametrize("label", OPERATIONS)
@pytest.mark.parametrize("mode", GenerationMode)
def test_api_03_every_operation_answers_as_its_document_says_many_times(
    house: House, label: str, mode: GenerationMode
) -> None:
    hold(house, label, mode, 200)


@pytest.mark.parametrize("key", ["%00", "a%00b", "%ff%fe", "%ed%a0%80", "%F0%9F%92%89", "..%2F..", "x" * 3000, "%20"])
@pytest.mark.parametrize(
    "path", ["v1/visits", "v1/exchanges", "v1/links", "v1/consents", "v1/transfers", "health-information"]
)
def test_a_key_that_no_store_can_hold_is_one_that_does_not_exist(house: House, path: str, key: str) -> None:
    async def look() -> httpx.Response:
        return await house.edge.http.get(f"/{path}/{key}", headers={"X-API-Key": SANDBOX_KEY})

    assert house.run(look()).status_code == 404


def taken_or_told(house: House, record: Any) -> None:
    async def hand_over() -> httpx.Response:
        content = json.dumps(record).encode()
        return await house.edge.http.post("/v1/visits", content=content, headers={"X-API-Key": SANDBOX_KEY})

    answer = house.run(hand_over())
    assert answer.status_code in (200, 202, 400, 422), answer.text
    if answer.status_code >= 400:
        error = answer.json()["error"]
        assert error["code"]
        assert error["field"] or error["message"]


@examples(40)
@given(record=st.sampled_from(VISITS).flatmap(changed_somewhere))
def test_a_visit_changed_anywhere_is_taken_or_its_field_is_named(house: House, record: Any) -> None:
    taken_or_told(house, record)


@pytest.mark.soak
@examples(5_000)
@given(record=st.sampled_from(VISITS).flatmap(changed_somewhere))
def test_a_visit_changed_anywhere_is_taken_or_its_field_is_named_many_times(house: House, record: Any) -> None:
    taken_or_told(house, record)

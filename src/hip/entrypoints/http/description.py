"""What the OpenAPI document says of our answers and of the visit record, so that a client made from it fits."""

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Components, OpenAPIMediaType, Operation, RequestBody, Schema

from hip.adapters.visit_records.schema import components


class Told(msgspec.Struct, omit_defaults=True):
    """Why a call was refused; ``field`` and ``expected`` for a value, ``correlation`` for a bug (it is in the log)."""

    code: str
    message: str
    field: str | msgspec.UnsetType = msgspec.UNSET
    expected: str | msgspec.UnsetType = msgspec.UNSET
    correlation: str | msgspec.UnsetType = msgspec.UNSET


class Refusal(msgspec.Struct):
    """The body of every answer from 400 on (contract §1.10, the asynchronous shape)."""

    error: Told


_WHY = {
    400: "a parameter or the body is not as it should be",
    401: "X-API-Key is missing or unknown",
    403: "the key does not act for that facility",
    404: "there is no such thing, or not for this key",
    413: "more than 32 MiB a visit",
    422: "understood, and not allowed",
    503: "storage is not available: try again",
}


def refusals(*statuses: int) -> dict[int, ResponseSpec]:
    """For ``responses`` of a handler: our error body under each of ``statuses``."""
    return {
        status: ResponseSpec(data_container=Refusal, description=_WHY[status], generate_examples=False)
        for status in statuses
    }


def answers(container: Any, *, status: int, description: str) -> dict[int, ResponseSpec]:
    """For ``responses`` of a handler: another success, or an answer without our error body."""
    return {status: ResponseSpec(data_container=container, description=description, generate_examples=False)}


class GivenSchema(Schema):
    """A JSON Schema that was made elsewhere, word for word."""

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__()
        self.content = content

    def to_schema(self) -> dict[str, Any]:
        """As it was given."""
        return self.content


_RECORD, _PARTS = components("#/components/schemas/{name}")


class RecordComponents(Components):
    """The document's components, with every part of a visit record: litestar puts its own in the place of others."""

    def to_schema(self) -> dict[str, Any]:
        """Ours beside litestar's."""
        made = super().to_schema()
        return {**made, "schemas": {**made.get("schemas", {}), **_PARTS}}


@dataclass
class VisitOperation(Operation):
    """POST /v1/visits reads its body as a stream, so that litestar cannot tell what is in it."""

    def __post_init__(self) -> None:
        """One record, or a record a line."""
        self.request_body = RequestBody(
            required=True,
            content={
                "application/json": OpenAPIMediaType(schema=GivenSchema(_RECORD)),
                "application/x-ndjson": OpenAPIMediaType(
                    schema=GivenSchema({"type": "string", "description": "a visit record on each line"})
                ),
            },
        )

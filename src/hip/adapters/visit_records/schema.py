"""The JSON Schema of the visit record, for ``hip visits schema`` and for integrators' own checks."""

from typing import Any

import msgspec

from hip.adapters.visit_records.structs import VisitRecord


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of one visit record. What it cannot say (an end before the start) the reader checks."""
    made: dict[str, Any] = msgspec.json.schema(VisitRecord)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Visit record", **made}


def components(template: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A reference to the visit record, and every part of it by name; references follow ``template`` (``{name}``)."""
    (record,), parts = msgspec.json.schema_components([VisitRecord], ref_template=template)
    return record, parts

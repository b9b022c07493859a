"""Visits, triggers and bundle records as they are stored, for tests."""

import hashlib
from typing import Any

from tests.builders.links import HIP
from tests.builders.moments import NOW
from tests.builders.visits import a_visit

from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.storage import Visit
from hip.domain.bundles import BundleKey, BundleRecord
from hip.domain.hi_types import HiType
from hip.domain.identifiers import VisitCode
from hip.domain.triggers import Trigger


def a_stored_visit(*, version: int = 1, received_at: Any = NOW, **changes: Any) -> Visit:
    """``a_visit(**changes)`` in its stored form."""
    record = a_visit(**changes)
    source = JsonVisitRecords().write(record)
    return Visit(
        record=record,
        source=source,
        digest=hashlib.sha256(source).hexdigest(),
        version=version,
        received_at=received_at,
    )


def a_trigger(**changes: Any) -> Trigger:
    """Visit 88120 is ready to be turned into documents."""
    values: dict[str, Any] = {"hip_id": HIP, "visit_code": VisitCode("88120"), "created_at": NOW}
    return Trigger(**(values | changes))


def a_bundle_key(**changes: Any) -> BundleKey:
    """The prescription of visit 88120."""
    values: dict[str, Any] = {"hip_id": HIP, "visit_code": VisitCode("88120"), "hi_type": HiType.PRESCRIPTION}
    return BundleKey(**(values | changes))


def a_bundle_record(**changes: Any) -> BundleRecord:
    """Its first version, valid."""
    values: dict[str, Any] = {
        "key": a_bundle_key(),
        "version": 1,
        "sha256": "ef" * 32,
        "size": 15_000,
        "valid": True,
        "clinical_date": NOW,
        "composed_at": NOW,
    }
    return BundleRecord(**(values | changes))

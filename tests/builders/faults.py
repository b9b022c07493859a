"""The real composer with a fault, as a release with a bug would have: what it then makes is truly invalid."""

import json
from collections.abc import Callable
from typing import Any

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.visits import VisitRecord

Fault = Callable[[VisitRecord, HiType, dict[str, Any]], None]


class FaultyComposer:
    """Breaks what ``FhirComposer`` composed with ``fault``, unless that is None."""

    def __init__(self, fault: Fault | None) -> None:
        self.fault = fault
        self._composer = FhirComposer()

    def compose(self, record: VisitRecord, hi_type: HiType, *, facility: Facility, version: int = 1) -> bytes:
        content = self._composer.compose(record, hi_type, facility=facility, version=version)
        if self.fault is None:
            return content
        bundle = json.loads(content)
        self.fault(record, hi_type, bundle)
        return json.dumps(bundle).encode()


def untitled_prescriptions(record: VisitRecord, hi_type: HiType, bundle: dict[str, Any]) -> None:
    """Prescriptions lose their title, which the profile demands: one error."""
    if hi_type is HiType.PRESCRIPTION:
        del bundle["entry"][0]["resource"]["title"]


def untitled_unless_routed(record: VisitRecord, hi_type: HiType, bundle: dict[str, Any]) -> None:
    """The fault that sources can mend: it strikes only where a medicine has no route."""
    if any(medicine.route is None for medicine in record.medications):
        untitled_prescriptions(record, hi_type, bundle)

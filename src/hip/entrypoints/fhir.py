"""FHIR documents from Python: compose one from a visit, check one, see it as a patient's app shows it.

Nothing here needs a server, a network or settings. A visit is a record as ``hip visits schema`` describes it: JSON, or
the tree ``json.loads`` makes of it.

>>> import json
>>> from hip.entrypoints.fhir import compose_bundle, compose_bundles, show_bundle, validate_bundle

>>> visit = {
...     "hipId": "IN0410000123", "visitCode": "88120", "class": "AMB", "category": "General OPD",
...     "start": "2026-03-12T10:05:00+05:30", "end": "2026-03-12T10:25:00+05:30",
...     "patient": {"reference": "PAT-20417", "name": "Meera Kulkarni", "gender": "F", "birthDate": "1984-04-09"},
...     "practitioner": {"id": "EMP-7", "name": "Ravi Rao"},
...     "complaints": [{"text": "Fever", "snomed": "386661006"}],
...     "medications": [{"text": "Paracetamol 500 mg tablet", "frequency": "TDS", "duration": "3 days"}],
... }
>>> bundle = compose_bundle(visit, "Prescription", facility_name="Demo Clinic")
>>> json.loads(bundle)["entry"][0]["resource"]["title"]
'Prescription'

The same record gives the same bytes, and every one of them passes:

>>> bundle == compose_bundle(visit, "Prescription", facility_name="Demo Clinic")
True
>>> validate_bundle(bundle).valid
True

``compose_bundles`` makes all the documents the visit should have:

>>> [str(hi_type) for hi_type in compose_bundles(visit, facility_name="Demo Clinic")]
['OPConsultation', 'Prescription']

What is wrong with a document is said in words, with the place and what to do; errors make it invalid, warnings do not:

>>> broken = json.loads(bundle)
>>> del broken["entry"][0]["resource"]["title"]
>>> report = validate_bundle(broken)
>>> report.valid
False
>>> for issue in report.errors:
...     print(issue.path, issue.rule, issue.message, issue.fix, sep=" | ")
Bundle.entry[0].resource.title | min | title is required and missing | add title

Any document can be looked at, also one that others made. A gap is a row for which apps show "NA":

>>> page = show_bundle(bundle)
>>> [section.title for section in page.sections]
['Prescription']
>>> [(row.label, row.words) for row in page.sections[0].items[0].rows][:2]
[('Medicine', 'Paracetamol 500 mg tablet'), ('Dosage', 'TDS, 3 days')]
>>> page.gaps()
()
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.presentation.pages import Page
from hip.adapters.fhir.presentation.rendering import present
from hip.adapters.fhir.validation.reading import Unreadable, read_document
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.bundles import ValidationReport
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.visits import VisitRecord

Json = bytes | str | Mapping[str, Any]


def compose_bundle(visit: Json, hi_type: HiType | str, *, facility_name: str | None = None, version: int = 1) -> bytes:
    """The document of one HI type as UTF-8 JSON; ``version`` becomes ``meta.versionId``.

    ``hi_type`` is one of ABDM's eight names, in any spelling (``OPConsultation``, ``op consultation``).
    ``facility_name`` is what patients read as the name of the HIP; its id when left out.
    Raises InvalidValue, naming the field, for a bad record, an unknown HI type, or one the visit has no data for.

    >>> compose_bundle({}, "Prescription")
    Traceback (most recent call last):
        ...
    hip.domain.errors.InvalidValue: hipId: expected text, which is required
    """
    record = _record(visit)
    wanted = hi_type if isinstance(hi_type, HiType) else HiType.parse(hi_type)
    return FhirComposer().compose(record, wanted, facility=_facility(record, facility_name), version=version)


def compose_bundles(visit: Json, *, facility_name: str | None = None, version: int = 1) -> dict[HiType, bytes]:
    """Every document the visit should have: its ``hiTypes``, or all that there is data for.

    Arguments and errors as for ``compose_bundle``.
    """
    record = _record(visit)
    facility = _facility(record, facility_name)
    composer = FhirComposer()
    return {
        hi_type: composer.compose(record, hi_type, facility=facility, version=version)
        for hi_type in record.required_hi_types
    }


def validate_bundle(bundle: Json, *, guide: Path | None = None) -> ValidationReport:
    """Every issue of a document against base R4 and the NRCeS profiles, in document order.

    Never raises for bad content: what is no JSON is an issue as well. ``guide`` is a file of ``hip ig compile`` to
    check against in place of the guide that comes with this package; raises InvalidValue when it is none.

    >>> validate_bundle("<Bundle/>").issues[0].rule
    'json-syntax'
    """
    return NrcesValidator(guide=guide).validate(bundle)


def show_bundle(bundle: Json, *, guide: Path | None = None) -> Page:
    """The document as a patient's app shows it. ``gaps()`` of the page are the validator's ``shown-as-na`` warnings,
    and references that lead to nothing.

    Raises InvalidValue for what is no FHIR Bundle; a Bundle that is invalid is shown as far as it goes.

    >>> show_bundle(b"[]")
    Traceback (most recent call last):
        ...
    hip.domain.errors.InvalidValue: bundle: expected a FHIR Bundle
    """
    try:
        tree = read_document(bundle)
    except Unreadable:
        tree = {}
    if tree.get("resourceType") != "Bundle":
        raise InvalidValue("bundle", "a FHIR Bundle")
    return present(tree, NrcesValidator(guide=guide).validate(tree).issues)


def _record(visit: Json) -> VisitRecord:
    if isinstance(visit, Mapping):
        try:
            visit = json.dumps(visit)
        except (TypeError, ValueError, RecursionError):
            raise InvalidValue("visit", "what JSON can hold") from None
    content = visit.encode("utf-8", "replace") if isinstance(visit, str) else visit
    return VisitRecordReader().read(content)


def _facility(record: VisitRecord, name: str | None) -> Facility:
    return Facility(hip_id=record.hip_id, name=name or record.hip_id)

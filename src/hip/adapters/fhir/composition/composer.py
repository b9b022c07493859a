"""Visit record → FHIR document bundle under the NRCeS profiles. Port ``Composer``."""

import re
from dataclasses import dataclass

import msgspec

from hip.adapters.fhir.composition import administrative, findings
from hip.adapters.fhir.composition.codes import RESTRICTED
from hip.adapters.fhir.composition.draft import Draft, Resource
from hip.adapters.fhir.composition.layouts import LAYOUTS, PROFILES
from hip.adapters.fhir.composition.narrative import narrative, visible
from hip.adapters.fhir.composition.records import NARRATIVE_RECORDS, RECORDS
from hip.adapters.fhir.composition.wording import day
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.visits import VisitRecord

_ENCODER = msgspec.json.Encoder(decimal_format="number")
# FHIR strings know space, tab and line ends only; these are UTF-8's other blanks (no-break space, U+2000 … U+3000).
_OTHER_BLANKS = re.compile(rb"\xc2\xa0|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80")


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirComposer:
    """Composes the eight document types. Pure: the same arguments give the same bytes.

    ``facility_registry`` is the identifier system of facilities, and the root of the systems of their own numbers;
    it differs between ABDM's sandbox and production (amrit.md §4: never hard coded).
    """

    facility_registry: str = "https://facility.abdm.gov.in"

    def compose(self, record: VisitRecord, hi_type: HiType, *, facility: Facility, version: int = 1) -> bytes:
        """The bundle of ``hi_type`` as UTF-8 JSON, ``meta.versionId`` = ``version``, all dates from the visit.

        Raises InvalidValue when the record has nothing for that type or belongs to another facility.
        """
        if not record.has_data_for(hi_type):
            raise InvalidValue("hiType", f"an HI type the visit has data for, not {hi_type}")
        if facility.hip_id != record.hip_id:
            raise InvalidValue("hipId", "the facility the visit belongs to")
        draft = Draft(record=record, facility=facility, hi_type=hi_type, root=self.facility_registry)
        _fill(draft)
        content = _ENCODER.encode(_bundle(draft, version))
        return content if content.isascii() else _OTHER_BLANKS.sub(b" ", content)


def _fill(draft: Draft) -> None:
    draft.patient = administrative.add_patient(draft)
    draft.practitioner = administrative.add_practitioner(draft)
    draft.organization = administrative.add_organization(draft)
    draft.encounter = {"reference": f"urn:uuid:{draft.uuid('Encounter/visit')}"}
    told = NARRATIVE_RECORDS.get(draft.hi_type)
    if told is None:
        administrative.add_encounter(draft, [])
        RECORDS[draft.hi_type](draft)
    else:
        diagnoses = findings.diagnoses(draft)
        administrative.add_encounter(draft, diagnoses)
        told(draft, diagnoses)


def _bundle(draft: Draft, version: int) -> Resource:
    moment = draft.moment.isoformat()
    identity = draft.uuid("Bundle/" + draft.hi_type)
    return {
        "resourceType": "Bundle",
        "id": identity,
        "meta": {
            "versionId": str(version),
            "lastUpdated": moment,
            "profile": [PROFILES + "DocumentBundle"],
            "security": [RESTRICTED.coding()],
        },
        "identifier": {"system": draft.system("bundles"), "value": identity},
        "type": "document",
        "timestamp": moment,
        "entry": [_composition(draft, moment), *draft.entries],
    }


def _composition(draft: Draft, moment: str) -> Resource:
    record = draft.record
    layout = LAYOUTS[draft.hi_type]
    identity = draft.uuid("Composition/" + draft.hi_type)
    header = (
        f"{layout.title} of {visible(record.patient.name)}",
        f"Visit of {day(record.start)}, {record.practitioner.name.strip()}, {draft.facility.name.strip()}",
    )
    resource: Resource = {
        "resourceType": "Composition",
        "id": identity,
        "meta": {"profile": [PROFILES + layout.profile]},
        "language": "en-IN",
        "text": narrative(header),
        "identifier": {"system": draft.system("documents"), "value": identity},
        "status": "final",
        "type": {"text": layout.text} if layout.code is None else layout.code.concept(layout.text),
        "subject": draft.patient,
        "encounter": draft.encounter,
        "date": moment,
        "author": [draft.practitioner],
        "title": layout.title,
        "confidentiality": RESTRICTED.code,
        "custodian": draft.organization,
        "section": draft.sections,
    }
    return {"fullUrl": f"urn:uuid:{identity}", "resource": resource}

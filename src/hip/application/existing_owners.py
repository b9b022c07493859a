"""Whose an imported bundle is: the facility, and the patient, of its visit.

The patients' lists decide. A visit that is in nobody's list is given to a patient only when all that AMRIT says of the
person fits one patient and nobody else: a bundle may stay behind, but never reach another's record.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hip.application.existing_documents import ExistingBundle, Fate
from hip.application.ports import Facilities
from hip.application.storage import UnitOfWork, Units
from hip.domain.discovery import PatientIdentifiers
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaNumber, CareContextReference, HipId, PatientReference, VisitCode
from hip.domain.links import CareContext
from hip.domain.patients import Gender, Patient

_MOST = 1_000

SEVERAL = "VisitCode: expected a visit in the list of a patient of one facility of this service"
NOBODYS = "VisitCode: expected a visit in the list of a patient, or a person who is one patient of ours without doubt"
ANOTHERS = "BeneficiaryID: expected the patient whose list has the visit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """``context`` is the visit's care context, if it has one; without one it is to be made for ``patient``.

    Both are None for a visit that we received ourselves and have made no documents of yet.
    """

    hip_id: HipId
    context: CareContext | None = None
    patient: PatientReference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Astray:
    """A bundle that is nobody's, as far as can be told."""

    fate: Fate
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of the visits and persons of a batch, by facility."""

    contexts: Mapping[VisitCode, Mapping[HipId, CareContext]]
    ours: Mapping[VisitCode, frozenset[HipId]]
    by_reference: Mapping[str, Mapping[HipId, Patient]]
    by_number: Mapping[AbhaNumber, Sequence[tuple[HipId, Patient]]]


@dataclass(frozen=True, slots=True)
class FindOwners:
    """``stand_in`` is the facility of documents that name none."""

    units: Units
    facilities: Facilities
    stand_in: HipId | None

    async def __call__(self, bundles: Sequence[ExistingBundle]) -> Sequence[Owner | Astray]:
        """One for each, in order."""
        if not bundles:
            return []
        async with self.units() as uow:
            known = await self._known(uow, bundles)
        return [self._owner(bundle, known) for bundle in bundles]

    async def _known(self, uow: UnitOfWork, bundles: Sequence[ExistingBundle]) -> _Known:
        codes = list(dict.fromkeys(bundle.visit_code for bundle in bundles))
        references = list(dict.fromkeys(bundle.beneficiary for bundle in bundles if bundle.beneficiary is not None))
        numbers = frozenset(bundle.abha_number for bundle in bundles if bundle.abha_number is not None)
        contexts: dict[VisitCode, dict[HipId, CareContext]] = defaultdict(dict)
        ours: dict[VisitCode, frozenset[HipId]] = {}
        by_reference: dict[str, dict[HipId, Patient]] = defaultdict(dict)
        by_number: dict[AbhaNumber, list[tuple[HipId, Patient]]] = defaultdict(list)
        for hip_id in [facility.hip_id for facility in self.facilities.all()]:
            listed = await uow.care_contexts.several(hip_id, [CareContextReference(code) for code in codes])
            for context in listed:
                contexts[context.visit_code][hip_id] = context
            for code in await uow.visits.sizes(hip_id, codes):
                ours[code] = ours.get(code, frozenset()) | {hip_id}
            persons = {*map(PatientReference, references), *(context.patient_reference for context in listed)}
            for patient in await uow.patients.several(hip_id, sorted(persons)):
                by_reference[patient.reference][hip_id] = patient
            if numbers:
                wanted = PatientIdentifiers(abha_numbers=numbers)
                for patient in await uow.patients.candidates(hip_id, wanted, limit=_MOST):
                    if patient.abha_number is not None:
                        by_number[patient.abha_number].append((hip_id, patient))
        return _Known(contexts=contexts, ours=ours, by_reference=by_reference, by_number=by_number)

    def _owner(self, bundle: ExistingBundle, known: _Known) -> Owner | Astray:
        code = bundle.visit_code
        listed = known.contexts.get(code, {})
        hips = listed.keys() | known.ours.get(code, frozenset())
        if len(hips) > 1:
            return Astray(fate=Fate.REFUSED, reason=SEVERAL)
        if not hips:
            return self._by_person(bundle, known)
        [hip_id] = hips
        context = listed.get(hip_id)
        ours = hip_id in known.ours.get(code, frozenset())
        # Where AMRIT's number of the patient is not ours nothing is taken anyway: what we made ourselves stays.
        if not ours and context is not None:
            patient = known.by_reference.get(context.patient_reference, {}).get(hip_id)
            if bundle.beneficiary not in (None, str(context.patient_reference)) or _numbered_otherwise(bundle, patient):
                return Astray(fate=Fate.REFUSED, reason=ANOTHERS)
        return Owner(hip_id=hip_id, context=context)

    def _by_person(self, bundle: ExistingBundle, known: _Known) -> Owner | Astray:
        nobody = Astray(fate=Fate.UNLISTED, reason=NOBODYS)
        fitting = [] if bundle.beneficiary is None else list(known.by_reference.get(bundle.beneficiary, {}).items())
        if bundle.abha_number is not None:
            fitting += known.by_number.get(bundle.abha_number, ())
        # Known at another facility as well, it could not be told at which of them the visit was.
        if self.stand_in is None or {hip_id for hip_id, _ in fitting} != {self.stand_in}:
            return nobody
        if len({patient.reference for _, patient in fitting}) != 1:
            return nobody
        patient = fitting[0][1]
        if bundle.beneficiary not in (None, str(patient.reference)) or _differ(bundle, patient):
            return nobody
        return Owner(hip_id=self.stand_in, patient=patient.reference)


def _numbered_otherwise(bundle: ExistingBundle, patient: Patient | None) -> bool:
    """True when an ABHA number is all that names the person, and it is another's.

    Beside AMRIT's own number of the patient it says nothing: a patient may have had another ABHA at that visit.
    """
    if bundle.beneficiary is not None or bundle.abha_number is None or patient is None:
        return False
    return patient.abha_number not in (None, bundle.abha_number)


def _differ(bundle: ExistingBundle, patient: Patient) -> bool:
    """True when the ABHA number, or the birth or gender of the Patient in the bundle, is another's."""
    if bundle.abha_number is not None and patient.abha_number not in (None, bundle.abha_number):
        return True
    described = _described(bundle.content)
    if described is None:
        return True
    born, gender = described.get("birthDate"), described.get("gender")
    if not isinstance(born, str) or born[:4] != str(patient.birth_year):
        return True
    try:
        stated = Gender.UNKNOWN if not isinstance(gender, str) else Gender.parse(gender)
    except InvalidValue:
        return True
    return Gender.UNKNOWN not in (stated, patient.gender) and stated is not patient.gender


def _described(content: bytes) -> Mapping[str, object] | None:
    """The one Patient of a bundle."""
    try:
        resources = [entry["resource"] for entry in json.loads(content)["entry"]]
        found = [resource for resource in resources if resource["resourceType"] == "Patient"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found[0] if len(found) == 1 else None

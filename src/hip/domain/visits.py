"""What happened at one visit: the record every bundle is made from (design.md, "The visit record")."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from hip.domain import identifiers
from hip.domain.clinical import (
    Allergy,
    CarePlan,
    Complaint,
    Diagnosis,
    FamilyMember,
    FollowUp,
    InvestigationAdvice,
    Measurement,
    PastCondition,
    Procedure,
    Referral,
)
from hip.domain.clinical_documents import MAX_VISIT_BYTES, Attachment, Document
from hip.domain.clinical_invoices import Invoice
from hip.domain.clinical_medications import Medication, MedicationTaken
from hip.domain.clinical_reports import ImagingReport, Immunization, ImmunizationDue, LabReport
from hip.domain.clinical_vitals import Vitals, Wellness
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode
from hip.domain.patients import Patient
from hip.domain.recorded import Recorded, aware, checked_text


class VisitClass(StrEnum):
    """HL7 v3 ActCode encounter class."""

    AMBULATORY = "AMB"
    INPATIENT = "IMP"
    EMERGENCY = "EMER"
    DAY_CARE = "SS"
    OBSERVATION = "OBSENC"
    HOME = "HH"
    VIRTUAL = "VR"
    FIELD = "FLD"

    @property
    def stays(self) -> bool:
        """True when the patient is in a bed: such a visit without an end is still going on."""
        return self in (VisitClass.INPATIENT, VisitClass.EMERGENCY, VisitClass.OBSERVATION, VisitClass.DAY_CARE)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_LABELS = {
    VisitClass.AMBULATORY: "OPD visit",
    VisitClass.INPATIENT: "Admission",
    VisitClass.EMERGENCY: "Emergency visit",
    VisitClass.DAY_CARE: "Day care visit",
    VisitClass.OBSERVATION: "Observation stay",
    VisitClass.HOME: "Home visit",
    VisitClass.VIRTUAL: "Video or telephone visit",
    VisitClass.FIELD: "Field visit",
}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Practitioner(Recorded):
    """Who treated the patient. ``id`` is the hospital's own; ``hpr_id`` the Healthcare Professionals Registry's."""

    id: str
    name: str
    hpr_id: str | None = None
    registration_number: str | None = None
    qualification: str | None = None
    designation: str | None = None
    phone: str | None = None


def care_context_label(visit_class: VisitClass, day: datetime) -> str:
    """What the patient's app shows of a visit of that day, as the day is written in ``day`` (DISC-01)."""
    return f"{_LABELS[visit_class]} {day.day:02d} {_MONTHS[day.month - 1]} {day.year}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRecord:
    """One visit of one patient to one facility, whatever the source. All times carry a UTC offset.

    ``hi_types`` are the types the source states; empty means every type that has data. Raises InvalidValue, its
    ``field`` as in the JSON form.
    """

    hip_id: HipId
    visit_code: VisitCode
    visit_class: VisitClass
    category: str = field(repr=False)
    start: datetime
    end: datetime | None = None
    patient: Patient
    practitioner: Practitioner
    hi_types: tuple[HiType, ...] = ()
    complaints: tuple[Complaint, ...] = field(default=(), repr=False)
    diagnoses: tuple[Diagnosis, ...] = field(default=(), repr=False)
    vitals: Vitals | None = field(default=None, repr=False)
    examination: tuple[Measurement, ...] = field(default=(), repr=False)
    observations: tuple[Measurement, ...] = field(default=(), repr=False)
    allergies: tuple[Allergy, ...] = field(default=(), repr=False)
    history: tuple[PastCondition, ...] = field(default=(), repr=False)
    past_procedures: tuple[Procedure, ...] = field(default=(), repr=False)
    family_history: tuple[FamilyMember, ...] = field(default=(), repr=False)
    current_medications: tuple[MedicationTaken, ...] = field(default=(), repr=False)
    medications: tuple[Medication, ...] = field(default=(), repr=False)
    investigations: tuple[InvestigationAdvice, ...] = field(default=(), repr=False)
    procedures: tuple[Procedure, ...] = field(default=(), repr=False)
    referrals: tuple[Referral, ...] = field(default=(), repr=False)
    follow_ups: tuple[FollowUp, ...] = field(default=(), repr=False)
    notes: str | None = field(default=None, repr=False)
    care_plan: CarePlan | None = field(default=None, repr=False)
    lab_reports: tuple[LabReport, ...] = field(default=(), repr=False)
    imaging_reports: tuple[ImagingReport, ...] = field(default=(), repr=False)
    immunizations: tuple[Immunization, ...] = field(default=(), repr=False)
    immunizations_due: tuple[ImmunizationDue, ...] = field(default=(), repr=False)
    wellness: Wellness | None = field(default=None, repr=False)
    documents: tuple[Document, ...] = field(default=(), repr=False)
    invoice: Invoice | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        identifiers.reference(checked_text(self.visit_code, field="visitCode"), field="visitCode")
        checked_text(self.patient.reference, field="patient.reference")
        checked_text(self.patient.name, field="patient.name")
        checked_text(self.category, field="category")
        aware(self.start, field="start")
        if self.end is not None and aware(self.end, field="end") < self.start:
            raise InvalidValue("end", "a time not before start")
        if self.notes is not None:
            checked_text(self.notes, field="notes")
        if sum(len(each.data) for each in self.attachments) > MAX_VISIT_BYTES:
            raise InvalidValue("documents", f"files of at most {MAX_VISIT_BYTES // 1024 // 1024} MiB in all")
        for hi_type in _ONE_DOCUMENT:
            if len(self.documents_of(hi_type)) > 1:
                raise InvalidValue("documents", f"at most one document that belongs to {hi_type}")
        for index, hi_type in enumerate(self.hi_types):
            if hi_type in self.hi_types[:index]:
                raise InvalidValue(f"hiTypes[{index}]", "each HI type once")
            if not self.has_data_for(hi_type):
                raise InvalidValue(f"hiTypes[{index}]", f"{_NEEDS[hi_type]} for {hi_type}")
        if not self.required_hi_types:
            raise InvalidValue("hiTypes", "clinical data for at least one HI type")

    @property
    def required_hi_types(self) -> tuple[HiType, ...]:
        """The bundles this visit must have before it may be linked.

        As stated; else every type that has data, where DischargeSummary takes the place of OPConsultation for class
        IMP and no other class gets one (amrit.md §3).
        """
        if self.hi_types:
            return self.hi_types
        narrative = {HiType.OP_CONSULTATION, HiType.DISCHARGE_SUMMARY}
        fitting = HiType.DISCHARGE_SUMMARY if self.visit_class is VisitClass.INPATIENT else HiType.OP_CONSULTATION
        return tuple(
            hi_type
            for hi_type in HiType
            if (hi_type not in narrative or hi_type is fitting) and self.has_data_for(hi_type)
        )

    @property
    def clinical_date(self) -> datetime:
        """The start of the visit in UTC: what a consent's date range is compared with (REL-09)."""
        return self.start.astimezone(UTC)

    @property
    def care_context_display(self) -> str:
        """A label for the patient's app with no clinical content, id or category; the date as at the hospital."""
        return care_context_label(self.visit_class, self.start)

    @property
    def attachments(self) -> Iterator[Attachment]:
        """Every file of the visit."""
        yield from self.documents
        for lab in self.lab_reports:
            if lab.attachment is not None:
                yield lab.attachment
        for imaging in self.imaging_reports:
            yield from imaging.images
            if imaging.attachment is not None:
                yield imaging.attachment

    def documents_of(self, hi_type: HiType) -> tuple[Document, ...]:
        """The documents that may leave with bundles of this type."""
        return tuple(document for document in self.documents if document.belongs_to is hi_type)

    def has_data_for(self, hi_type: HiType) -> bool:
        """True when a bundle of this type would have something to say."""
        match hi_type:
            case HiType.OP_CONSULTATION:
                return self._consulted or bool(self.documents_of(hi_type))
            case HiType.DISCHARGE_SUMMARY:
                documented = bool(self.lab_reports or self.imaging_reports or self.documents_of(hi_type))
                return self._consulted or documented or self.care_plan is not None
            case HiType.PRESCRIPTION:
                return bool(self.medications or self.documents_of(hi_type))
            case HiType.DIAGNOSTIC_REPORT:
                return bool(self.lab_reports or self.imaging_reports or self.documents_of(hi_type))
            case HiType.IMMUNIZATION_RECORD:
                return bool(self.immunizations or self.immunizations_due or self.documents_of(hi_type))
            case HiType.HEALTH_DOCUMENT_RECORD:
                return bool(self.documents_of(hi_type))
            case HiType.WELLNESS_RECORD:
                return self.vitals is not None or self.wellness is not None or bool(self.documents_of(hi_type))
            case HiType.INVOICE:
                return self.invoice is not None

    @property
    def _consulted(self) -> bool:
        return any(
            (
                self.complaints,
                self.diagnoses,
                self.vitals,
                self.examination,
                self.observations,
                self.allergies,
                self.history,
                self.past_procedures,
                self.family_history,
                self.current_medications,
                self.medications,
                self.investigations,
                self.procedures,
                self.referrals,
                self.follow_ups,
                self.notes,
            )
        )


# The guide's sections of these two have one place for a document (profiles.md §2).
_ONE_DOCUMENT = (HiType.PRESCRIPTION, HiType.DIAGNOSTIC_REPORT)
_NEEDS: dict[HiType, str] = {
    HiType.OP_CONSULTATION: "complaints, diagnoses, vitals or other findings",
    HiType.PRESCRIPTION: "medications",
    HiType.DISCHARGE_SUMMARY: "complaints, diagnoses, findings, reports or a care plan",
    HiType.DIAGNOSTIC_REPORT: "labReports or imagingReports",
    HiType.IMMUNIZATION_RECORD: "immunizations or immunizationsDue",
    HiType.HEALTH_DOCUMENT_RECORD: "documents",
    HiType.WELLNESS_RECORD: "vitals or wellness",
    HiType.INVOICE: "an invoice",
}

"""The JSON form of a visit record: one Struct per object, keys in camelCase.

Keys may be added, never renamed. Every Struct has its twin in ``hip.domain``, with the same field names; the pairs
stand in ``pairs.py``. Descriptions end up in the JSON Schema.
"""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from hip.adapters.visit_records.report_structs import (
    Attachment,
    CodedText,
    ImagingReport,
    Immunization,
    ImmunizationDue,
    Invoice,
    Keys,
    LabReport,
    Measurement,
    Moment,
)
from hip.domain.clinical import AdviceKind, AllergyCategory, Certainty, Criticality, ReactionSeverity
from hip.domain.visits import VisitClass


class Address(Keys, kw_only=True):
    """A postal address in India; any part may be missing."""

    line: str | None = None
    district: str | None = None
    state: str | None = None
    pincode: str | None = None


class Patient(Keys, kw_only=True):
    """The patient as the hospital knows them."""

    reference: Annotated[str, Meta(description="The hospital's own patient number (MR); unique within the HIP")]
    name: str
    gender: Annotated[str, Meta(description="M, F, O or U; D, T and the full words are read too")]
    birth_date: Annotated[str, Meta(description="YYYY-MM-DD, or only YYYY when the day is not known")]
    phone: Annotated[str | None, Meta(description="Indian mobile number")] = None
    email: str | None = None
    abha_address: Annotated[str | None, Meta(description="ABHA address, such as name@abdm")] = None
    abha_number: Annotated[str | None, Meta(description="14 digits, dashes allowed")] = None
    address: Address | None = None


class Practitioner(Keys, kw_only=True):
    """Who treated the patient; not who opened the visit."""

    id: Annotated[str, Meta(description="The hospital's own id of the practitioner")]
    name: str
    hpr_id: Annotated[str | None, Meta(description="Id in the Healthcare Professionals Registry")] = None
    registration_number: Annotated[str | None, Meta(description="Medical council registration")] = None
    qualification: str | None = None
    designation: str | None = None
    phone: str | None = None


class Complaint(CodedText, kw_only=True):
    """What the patient came with."""

    duration: Annotated[str | None, Meta(description='In words: "3 days"')] = None
    note: str | None = None


class Diagnosis(CodedText, kw_only=True):
    """One diagnosis."""

    certainty: Certainty | None = None
    note: str | None = None


class PastCondition(CodedText, kw_only=True):
    """A condition of the medical history."""

    since: Annotated[str | None, Meta(description="YYYY, YYYY-MM or YYYY-MM-DD")] = None
    resolved: bool = False
    note: str | None = None


class Allergy(CodedText, kw_only=True):
    """An allergy or intolerance."""

    category: AllergyCategory | None = None
    criticality: Criticality | None = None
    reactions: tuple[CodedText, ...] = ()
    severity: Annotated[ReactionSeverity | None, Meta(description="Of the reactions")] = None
    note: str | None = None


class Procedure(CodedText, kw_only=True):
    """Something done to the patient."""

    performed: Annotated[str | None, Meta(description="YYYY, YYYY-MM or YYYY-MM-DD; absent: at this visit")] = None
    body_site: CodedText | None = None
    outcome: CodedText | None = None
    note: str | None = None


class FamilyCondition(CodedText, kw_only=True):
    """A condition of a relative."""

    onset_age: Annotated[int | None, Meta(description="Years")] = None


class FamilyMember(Keys, kw_only=True):
    """One relative and what they had."""

    relationship: Annotated[str, Meta(description='In words: "father", "maternal uncle"')]
    conditions: tuple[FamilyCondition, ...]
    note: str | None = None


class InvestigationAdvice(CodedText, kw_only=True):
    """A test or image the patient was told to have."""

    kind: AdviceKind = AdviceKind.OTHER
    note: str | None = None


class Referral(CodedText, kw_only=True):
    """A referral to someone else."""

    to: Annotated[str | None, Meta(description="Person, department or facility")] = None
    reason: str | None = None


class FollowUp(Keys, kw_only=True):
    """When to come again: either day, or start."""

    day: Annotated[date | None, Meta(description="When no hour was agreed")] = None
    start: Moment | None = None
    end: Moment | None = None
    text: str | None = None


class CarePlan(Keys, kw_only=True):
    """What is to be done after discharge."""

    title: str
    description: str | None = None
    category: CodedText | None = None
    activities: tuple[str, ...] = ()


class Vitals(Keys, kw_only=True):
    """One set of vital signs."""

    temperature_f: Annotated[float | None, Meta(description="°F")] = None
    pulse: Annotated[float | None, Meta(description="beats/min")] = None
    respiratory_rate: Annotated[float | None, Meta(description="breaths/min")] = None
    systolic: Annotated[float | None, Meta(description="mm Hg")] = None
    diastolic: Annotated[float | None, Meta(description="mm Hg")] = None
    blood_pressure_status: Annotated[str | None, Meta(description='In words: "Hypertensive"')] = None
    spo2: Annotated[float | None, Meta(description="%")] = None
    weight_kg: Annotated[float | None, Meta(description="kg")] = None
    height_cm: Annotated[float | None, Meta(description="cm")] = None
    bmi: Annotated[float | None, Meta(description="kg/m²")] = None
    glucose_fasting: Annotated[float | None, Meta(description="mg/dL")] = None
    glucose_random: Annotated[float | None, Meta(description="mg/dL")] = None
    glucose_postprandial: Annotated[float | None, Meta(description="mg/dL, two hours after a meal")] = None


class Wellness(Keys, kw_only=True):
    """Body measurements, activity, general assessment, women's health and lifestyle."""

    neck_cm: Annotated[float | None, Meta(description="cm")] = None
    waist_cm: Annotated[float | None, Meta(description="cm, at the umbilicus")] = None
    mid_upper_arm_cm: Annotated[float | None, Meta(description="cm")] = None
    steps: Annotated[float | None, Meta(description="a day")] = None
    sleep_hours: Annotated[float | None, Meta(description="hours a day")] = None
    calories_burned: Annotated[float | None, Meta(description="kcal a day")] = None
    activity_level: Annotated[str | None, Meta(description="In words")] = None
    body_fat_kg: Annotated[float | None, Meta(description="kg")] = None
    fluid_intake_ml: Annotated[float | None, Meta(description="mL a day")] = None
    calorie_intake: Annotated[float | None, Meta(description="kcal a day")] = None
    resting_metabolic_rate: Annotated[float | None, Meta(description="kcal a day")] = None
    vo2_max: Annotated[float | None, Meta(description="mL/kg/min")] = None
    mental_status: CodedText | None = None
    wellbeing: CodedText | None = None
    age_at_menarche: Annotated[float | None, Meta(description="years")] = None
    age_at_menopause: Annotated[float | None, Meta(description="years")] = None
    periods_per_year: float | None = None
    last_period: Annotated[date | None, Meta(description="First day of the last menstrual period")] = None
    ovulation_date: date | None = None
    alcohol: CodedText | None = None
    smoking: CodedText | None = None
    tobacco_chewing: CodedText | None = None
    diet: CodedText | None = None
    other: tuple[Measurement, ...] = ()


class Medication(CodedText, kw_only=True):
    """One prescribed medicine; text names drug, strength and form."""

    dose: Annotated[str | None, Meta(description='"1 tablet", "5 ml"')] = None
    frequency: Annotated[str | None, Meta(description='"BD", "TDS", "1-0-1", "every 6 hours", "SOS"')] = None
    route: Annotated[str | None, Meta(description='"oral", "IM", "topical"')] = None
    duration: Annotated[str | None, Meta(description='"3 days", "2 weeks"')] = None
    instruction: Annotated[str | None, Meta(description='"after food"')] = None
    quantity: Annotated[float | None, Meta(description="To be dispensed")] = None
    quantity_unit: str | None = None
    reason: CodedText | None = None


class MedicationTaken(CodedText, kw_only=True):
    """A medicine the patient takes or took already."""

    since: Annotated[str | None, Meta(description="YYYY, YYYY-MM or YYYY-MM-DD")] = None
    stopped: bool = False
    dosage: str | None = None


class Document(Attachment, kw_only=True):
    """A file that is, or belongs to, a health record."""

    kind: Annotated[CodedText | None, Meta(description="What kind of document it is")] = None
    belongs_to: Annotated[str, Meta(description="The HI type it may leave with")] = "HealthDocumentRecord"


class VisitRecord(Keys, kw_only=True):
    """One visit of one patient to one facility."""

    hip_id: Annotated[str, Meta(description="The facility's id in the Health Facility Registry")]
    visit_code: Annotated[str, Meta(description="The hospital's visit number; the care-context reference")]
    visit_class: VisitClass = msgspec.field(name="class")
    category: Annotated[str, Meta(description='The hospital\'s word for the visit: "General OPD"')]
    start: Moment
    end: Moment | None = None
    hi_types: Annotated[tuple[str, ...], Meta(description="Bundles to make; absent: every type that has data")] = ()
    patient: Patient
    practitioner: Practitioner
    complaints: tuple[Complaint, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    vitals: Vitals | None = None
    examination: Annotated[tuple[Measurement, ...], Meta(description="Findings of the physical examination")] = ()
    observations: Annotated[tuple[Measurement, ...], Meta(description="Other observations")] = ()
    allergies: tuple[Allergy, ...] = ()
    history: tuple[PastCondition, ...] = ()
    past_procedures: tuple[Procedure, ...] = ()
    family_history: tuple[FamilyMember, ...] = ()
    current_medications: tuple[MedicationTaken, ...] = ()
    medications: tuple[Medication, ...] = ()
    investigations: tuple[InvestigationAdvice, ...] = ()
    procedures: tuple[Procedure, ...] = ()
    referrals: tuple[Referral, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    notes: Annotated[str | None, Meta(description="Free text for the patient")] = None
    care_plan: CarePlan | None = None
    lab_reports: tuple[LabReport, ...] = ()
    imaging_reports: tuple[ImagingReport, ...] = ()
    immunizations: tuple[Immunization, ...] = ()
    immunizations_due: tuple[ImmunizationDue, ...] = ()
    wellness: Wellness | None = None
    documents: tuple[Document, ...] = ()
    invoice: Invoice | None = None

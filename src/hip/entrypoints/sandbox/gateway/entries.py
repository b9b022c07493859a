"""Patient entries with their care contexts: in link, on-discover and on-confirm, with their checks (§1.4, §2.2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from hip.entrypoints.sandbox.gateway.refusals import bad

HI_TYPES = (
    "DiagnosticReport",
    "DischargeSummary",
    "HealthDocumentRecord",
    "ImmunizationRecord",
    "OPConsultation",
    "Prescription",
    "WellnessRecord",
    "Invoice",
)
ABHA_ADDRESS = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.]+[a-zA-Z0-9]@(abdm|sbx)")
REFERENCE = re.compile(r"[a-zA-Z0-9_\-@,. ()/:\\]{1,255}")
DISPLAY = re.compile(r"[a-zA-Z0-9_\-@,. \"':|()/]{1,255}")
MOST_CONTEXTS = 20


class ContextBody(msgspec.Struct, rename="camel"):
    """A care context with its label."""

    reference_number: str
    display: str


class PatientEntry(msgspec.Struct, rename="camel"):
    """One HI type's contexts."""

    reference_number: str
    display: str
    care_contexts: list[ContextBody]
    hi_type: str
    count: int


class ContextRef(msgspec.Struct, rename="camel", frozen=True):
    """A care context without a label, as a patient's app names it."""

    reference_number: str


class ChosenEntry(msgspec.Struct, rename="camel", frozen=True):
    """What the patient picked of one HI type: no labels travel (contract §2.6)."""

    reference_number: str
    care_contexts: tuple[ContextRef, ...]
    hi_type: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryCodes:
    """The codes for each kind of fault; one flow answers all with ABDM-1006, another tells them apart."""

    patient_reference: str = "ABDM-1006"
    patient_display: str = "ABDM-1006"
    contexts: str = "ABDM-1006"
    count: str = "ABDM-1006"


AT_LINK = EntryCodes()
IN_ANSWERS = EntryCodes(patient_reference="ABDM-1060", patient_display="ABDM-1061", contexts="ABDM-1057")


def check_entries(entries: Sequence[PatientEntry], codes: EntryCodes) -> None:
    """Raises Refusal for a wrong count, no or more than 20 contexts, an unknown HI type, or a bad character."""
    for number, entry in enumerate(entries):
        where = f"patient[{number}]"
        if not 1 <= entry.count <= MOST_CONTEXTS or not 1 <= len(entry.care_contexts) <= MOST_CONTEXTS:
            raise bad(codes.count, f"{where}: invalid count, must be 1 to 20")
        if entry.count != len(entry.care_contexts):
            raise bad("ABDM-1037", f"{where}: count differs from the number of care contexts")
        if entry.hi_type not in HI_TYPES:
            raise bad("ABDM-1006", f"{where}: invalid HI type, must be one of {', '.join(HI_TYPES)}")
        if not REFERENCE.fullmatch(entry.reference_number):
            raise bad(codes.patient_reference, f"{where}: invalid patient reference")
        if not DISPLAY.fullmatch(entry.display):
            raise bad(codes.patient_display, f"{where}: invalid patient display")
        for context in entry.care_contexts:
            if not REFERENCE.fullmatch(context.reference_number) or not DISPLAY.fullmatch(context.display):
                raise bad(codes.contexts, f"{where}: invalid care context reference or display")
        if len({context.reference_number for context in entry.care_contexts}) != entry.count:
            raise bad(codes.contexts, f"{where}: a care context appears twice")


def pairs(entries: Sequence[PatientEntry]) -> set[tuple[str, str, str]]:
    """(patient reference, care context reference, HI type) of all contexts."""
    return {(e.reference_number, c.reference_number, e.hi_type) for e in entries for c in e.care_contexts}

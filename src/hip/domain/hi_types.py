"""The eight kinds of health information that ABDM names (contract §1.13)."""

from enum import StrEnum
from typing import Self

from hip.domain.errors import InvalidValue


class HiType(StrEnum):
    """One of ABDM's eight HI types; the value is its spelling on the wire (PascalCase, exact)."""

    OP_CONSULTATION = "OPConsultation"
    PRESCRIPTION = "Prescription"
    DISCHARGE_SUMMARY = "DischargeSummary"
    DIAGNOSTIC_REPORT = "DiagnosticReport"
    IMMUNIZATION_RECORD = "ImmunizationRecord"
    HEALTH_DOCUMENT_RECORD = "HealthDocumentRecord"
    WELLNESS_RECORD = "WellnessRecord"
    INVOICE = "Invoice"

    @classmethod
    def parse(cls, text: str, *, field: str = "hiType") -> Self:
        """Read any spelling seen in the field: case, underscores and spaces are ignored (REL-10).

        Raises InvalidValue for a name that is none of the eight.
        """
        found = cls.recognise(text)
        if found is None:
            raise InvalidValue(field, f"one of {', '.join(cls)}")
        return found

    @classmethod
    def recognise(cls, text: str) -> Self | None:
        """As ``parse``, but None for an unknown name: a consent may name types that are newer than we are."""
        wanted = "".join(c for c in text.casefold() if c.isalnum())
        return next((member for member in cls if member.value.casefold() == wanted), None)

"""Documents as AMRIT's own service left them in MongoDB, with invented people."""

from datetime import UTC, datetime, timedelta
from typing import Any

MADE = datetime(2025, 11, 3, 6, 30, tzinfo=UTC)


def a_patient_document(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A patient with one linked visit and one that is not, spelt as AMRIT's Java spells it."""
    return {
        "identifier": f"3010{number}",
        "phoneNumber": "9800000001",
        "name": "Asha Invented",
        "caseReferenceNumber": f"3010{number}",
        "Gender": "F",
        "yearOfBirth": "1990",
        "HealthNumber": "91-1234-5678-9012",
        "HealthId": f"asha{number}@sbx",
        "careContextsList": [
            {
                "ReferenceNumber": f"70{number}",
                "Display": "Cancer Screening",
                "careContextLinkedDate": "2025-11-03T12:00:00",
                "abdmFacilityId": "IN0410000123",
            },
            {"ReferenceNumber": f"80{number}", "Display": "General OPD", "abdmFacilityId": "IN0410000123"},
        ],
        **changes,
    }


def a_bundle_document(content: Any, *, visit: Any = 701, minutes: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "BeneficiaryID": 30101,
        "VisitCode": visit,
        "ResourceType": "OPConsultation",
        "ResourceJson": content,
        "CreateDate": MADE + timedelta(minutes=minutes),
        **changes,
    }


def in_camel_case(document: dict[str, Any]) -> dict[str, Any]:
    """The other spelling, down to the sub-documents of a list."""
    return {_camel(name): _lists_in_camel_case(value) for name, value in document.items()}


def _camel(name: str) -> str:
    return name if name == "_id" else name[:1].lower() + name[1:]


def _lists_in_camel_case(value: Any) -> Any:
    return [in_camel_case(each) for each in value] if isinstance(value, list) else value

"""Invented patients and their visits; the same seed and number are always the same person."""

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from hip.domain.hi_types import HiType
from hip.entrypoints.demo.examples import example_visits
from hip.entrypoints.demo.stages import HIP_ID
from hip.entrypoints.sandbox.parties import Patient

_GIVEN = ("Asha", "Ravina", "Kiran", "Leela", "Mohini", "Nisha", "Ojas", "Priya", "Rohini", "Sunita", "Tara", "Uma")
_FAMILY = ("Patil", "Sharma", "Reddy", "Iyer", "Bose", "Gill", "Naik", "Pinto", "Rao", "Shah", "Verma", "Yadav")
_FULL, _PLAIN = "IP-4471", "88134"

CONTENT: dict[str, tuple[str, ...]] = {
    "Prescription": ("medications",),
    "DiagnosticReport": ("labReports", "imagingReports"),
    "ImmunizationRecord": ("immunizations", "immunizationsDue"),
    "HealthDocumentRecord": ("documents",),
    "WellnessRecord": ("wellness", "vitals"),
    "Invoice": ("invoice",),
}
"""What of a visit record goes into which document; consultation and discharge are made of all the rest."""


@dataclass(frozen=True, slots=True)
class Person:
    """``number`` is unique in a run; ``seed`` decides name and age."""

    number: int
    seed: int

    def _draw(self) -> Random:
        # Names must differ between seeds, nothing here is a secret.
        return Random(f"{self.seed}|{self.number}")  # noqa: S311

    @property
    def name(self) -> str:
        draw = self._draw()
        return f"{draw.choice(_GIVEN)} {draw.choice(_FAMILY)}"

    @property
    def year(self) -> int:
        return 1950 + self._draw().randrange(50)

    @property
    def address(self) -> str:
        return f"cert.p{self.number:05d}@sbx"

    @property
    def abha_number(self) -> str:
        return f"91{self.number:012d}"

    @property
    def mobile(self) -> str:
        return f"97{self.number:08d}"

    @property
    def code(self) -> str:
        """Of the first visit, which is its care context's reference."""
        return f"CERT-{self.number:05d}"

    def account(self, **changes: Any) -> Patient:
        """As the consent manager knows the person."""
        known: dict[str, Any] = {
            "abha_address": self.address,
            "abha_number": self.abha_number,
            "name": self.name,
            "gender": "F",
            "year_of_birth": self.year,
            "mobile": self.mobile,
        }
        return Patient(**known | changes)

    def visit(self, *, abha: bool = True, code: str = "", hi_types: tuple[str, ...] = ("Prescription",)) -> Any:
        """A visit record as the hospital's system hands it over: a consultation with a prescription.

        ``abha``: the desk knows the ABHA address and number.
        """
        return self._record(_PLAIN, abha=abha, code=code or self.code, hi_types=hi_types)

    def full_visit(self, hi_type: HiType, *, without: bool = False) -> Any:
        """A discharge with data for all eight types, of which ``hi_type`` is wanted; ``without`` its data."""
        record = self._record(_FULL, abha=True, code=self.code, hi_types=(hi_type.value,))
        if without:
            kept = set(record) - set(CONTENT.get(hi_type.value, ()))
            if hi_type.value not in CONTENT:
                # A consultation or discharge of an unknown practitioner is no document at all.
                kept -= {"practitioner"}
            record = {name: value for name, value in record.items() if name in kept}
        return record

    def _record(self, template: str, *, abha: bool, code: str, hi_types: tuple[str, ...]) -> Any:
        record = deepcopy(_templates()[template])
        patient: dict[str, Any] = {
            "reference": f"CERT-PAT-{self.number:05d}",
            "name": self.name,
            "gender": "F",
            "birthDate": str(self.year),
            "phone": self.mobile,
        }
        if abha:
            patient |= {"abhaAddress": self.address, "abhaNumber": self.abha_number}
        return record | {"hipId": HIP_ID, "visitCode": code, "hiTypes": list(hi_types), "patient": patient}


@cache
def _templates() -> dict[str, Any]:
    return {example.record.visit_code: json.loads(example.content) for example in example_visits()}

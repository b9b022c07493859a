"""As many invented patients as a test wants, and small visits of theirs; the same number is always the same person."""

import json
from dataclasses import dataclass
from typing import Any

from hip.entrypoints.demo.examples import example_visits
from hip.entrypoints.sandbox.parties import Patient

_GIVEN = ("Asha", "Ravi", "Kiran", "Leela", "Mohan", "Nisha", "Omkar", "Priya", "Rohan", "Sunita", "Tarun", "Uma")
_FAMILY = ("Patil", "Sharma", "Reddy", "Khan", "Iyer", "Bose", "Gill", "Naik", "Pinto", "Rao", "Shah", "Verma", "Yadav")


@dataclass(frozen=True, slots=True)
class Person:
    """``number`` decides everything else."""

    number: int

    @property
    def name(self) -> str:
        return f"{_GIVEN[self.number % len(_GIVEN)]} {_FAMILY[self.number // len(_GIVEN) % len(_FAMILY)]}"

    @property
    def address(self) -> str:
        return f"town.p{self.number:05d}@sbx"

    @property
    def mobile(self) -> str:
        return f"98{self.number:08d}"

    @property
    def year(self) -> int:
        return 1950 + self.number % 50

    @property
    def code(self) -> str:
        """Of this person's visit, which is its care context's reference."""
        return f"T-{self.number}"

    @property
    def counter(self) -> str:
        """Where this person registers, one of five."""
        return f"counter-{self.number % 5}"

    def account(self) -> Patient:
        """As the consent manager knows the person."""
        return Patient(
            abha_address=self.address,
            abha_number=f"91{self.number:012d}",
            name=self.name,
            gender="F",
            year_of_birth=self.year,
            mobile=self.mobile,
        )

    def visit(self, *, abha: bool = True, medicine: str = "Ibuprofen 400 mg tablet") -> bytes:
        """A prescription; without ``abha`` the hospital never heard of the account."""
        record = json.loads(_TEMPLATE)
        patient: dict[str, Any] = record["patient"]
        patient |= {"reference": f"TOWN-{self.number}", "name": self.name, "gender": "F", "phone": self.mobile}
        patient["birthDate"] = str(self.year)
        if abha:
            patient |= {"abhaAddress": self.address, "abhaNumber": f"91{self.number:012d}"}
        record |= {"visitCode": self.code, "hiTypes": ["Prescription"]}
        record["medications"][0]["text"] = medicine
        return json.dumps(record).encode()


_TEMPLATE = next(example.content for example in example_visits() if example.record.visit_code == "88134")

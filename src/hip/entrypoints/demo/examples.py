"""The five synthetic patients of the examples, with what is expected of each."""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.errors import InvalidValue
from hip.domain.visits import VisitRecord
from hip.entrypoints.sandbox.parties import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One visit file: its bytes as they are handed over, and what they say."""

    name: str
    content: bytes
    record: VisitRecord


def _folder() -> Path:
    """``examples`` beside a checkout, or the copy inside an installed package."""
    checkout = Path(__file__).parents[4] / "examples"
    return checkout if checkout.is_dir() else Path(str(files("hip") / "examples"))


def example_visits(folder: Path | None = None) -> tuple[Example, ...]:
    """Every visit file, by name. Raises InvalidValue naming the file and the field."""
    reader = VisitRecordReader()
    examples: list[Example] = []
    for file in sorted(((folder or _folder()) / "visits").glob("*.json")):
        content = file.read_bytes()
        try:
            record = reader.read(content)
        except InvalidValue as fault:
            raise InvalidValue(f"{file.name}: {fault.field}", fault.expected) from None
        examples.append(Example(name=file.name, content=content, record=record))
    return tuple(examples)


def example_profiles(folder: Path | None = None) -> tuple[Patient, ...]:
    """The ABHA accounts the sandbox gateway knows."""
    profiles = json.loads(((folder or _folder()) / "patients.json").read_bytes())
    return tuple(
        Patient(
            abha_address=profile["abhaAddress"],
            abha_number=profile["abhaNumber"],
            name=profile["name"],
            gender=profile["gender"],
            year_of_birth=profile["yearOfBirth"],
            mobile=profile["mobile"],
        )
        for profile in profiles
    )

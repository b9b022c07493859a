"""The five synthetic patients of the examples, with what is expected of each."""

import json
from pathlib import Path

from hip.entrypoints.example_visits import Example, example_visits, examples_folder
from hip.entrypoints.sandbox.parties import Patient

__all__ = ["Example", "example_profiles", "example_visits"]


def example_profiles(folder: Path | None = None) -> tuple[Patient, ...]:
    """The ABHA accounts the sandbox gateway knows."""
    profiles = json.loads(((folder or examples_folder()) / "patients.json").read_bytes())
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

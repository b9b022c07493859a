"""The validator under test, and the labelled bundles it is measured on, which live beside the repository."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hip.adapters.fhir.validation.validator import NrcesValidator

SHARED = Path(__file__).resolve().parents[5] / "shared" / "nrces"
Tree = dict[str, Any]


@pytest.fixture(scope="session")
def validator() -> NrcesValidator:
    return NrcesValidator()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The labelled corpus. Its absence is no failure, but nobody should overlook it."""
    if not SHARED.is_dir():
        pytest.skip(f"THE LABELLED CORPUS IS ABSENT ({SHARED}): what the validator is measured on was NOT run")
    return SHARED


@pytest.fixture(scope="session")
def base(shared: Path) -> Callable[[str], Tree]:
    """A fresh copy of a valid bundle, by name."""

    def read(name: str) -> Tree:
        tree: Tree = json.loads((shared / "bases" / f"{name}.json").read_bytes())
        return tree

    return read


@pytest.fixture(scope="session")
def bases(shared: Path) -> dict[str, Tree]:
    """Every valid bundle by name, without the verbatim doubles."""
    return {
        path.stem: json.loads(path.read_bytes())
        for path in sorted((shared / "bases").glob("*.json"))
        if not path.stem.startswith("original-")
    }

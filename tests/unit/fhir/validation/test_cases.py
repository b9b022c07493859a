"""The labelled corpus: every verdict right, and every fault found where it is."""

import json
import re
from pathlib import Path
from typing import Any

from hip.adapters.fhir.validation.validator import NrcesValidator

ENOUGH_PATHS = 0.98


def normal(path: str | None) -> str:
    """Paths as the corpus compares them."""
    return re.sub(r"\.where\([^)]*\)|\.ofType\([^)]*\)", "", path or "").replace("[x]", "")


def wanted(case: dict[str, Any]) -> set[str]:
    beside = re.sub(r"(\.[^.]+|\[\d+\])$", "", case["path"])
    return {normal(path) for path in (case["path"], *case["accept_paths"], beside)}


def test_every_labelled_bundle_gets_its_verdict_and_its_path(validator: NrcesValidator, shared: Path) -> None:
    cases = json.loads((shared / "cases" / "index.json").read_bytes())["cases"]
    misjudged, misplaced, invalid = [], [], 0
    for case in cases:
        report = validator.validate((shared / "cases" / case["file"]).read_bytes())
        if report.valid != (case["verdict"] == "valid"):
            misjudged.append((case["id"], case["rule"], report.errors[:2]))
        if case["verdict"] == "invalid":
            invalid += 1
            if case["kind"] != "json-syntax" and not {normal(one.path) for one in report.errors} & wanted(case):
                misplaced.append((case["id"], case["path"], [one.path for one in report.errors[:4]]))
    assert misjudged == []
    assert len(misplaced) <= (1 - ENOUGH_PATHS) * invalid, misplaced


def test_every_base_bundle_is_valid(validator: NrcesValidator, shared: Path) -> None:
    for path in sorted((shared / "bases").glob("*.json")):
        assert validator.validate(path.read_bytes()).errors == (), path.name


def test_every_issue_can_be_acted_on(validator: NrcesValidator, shared: Path) -> None:
    for path in sorted((shared / "cases").glob("open-*.json")):
        for issue in validator.validate(path.read_bytes()).issues:
            assert issue.path.startswith("Bundle"), issue
            assert issue.rule, issue
            assert issue.message, issue
            assert issue.expected, issue
            assert issue.fix, issue
            assert issue.found, issue
            assert len(issue.found) <= 200, issue
            assert issue.profile == "" or issue.profile in validator.guide.profiles, issue

"""``hip bundle compose``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hip.entrypoints.cli.bundles import app

MEERA = Path(__file__).parents[4] / "examples" / "visits" / "01-meera-kulkarni-88120.json"
CLINIC = '[{"id": "IN0410000123", "name": "Demo Clinic"}]'


def run(*arguments: str, facilities: str = "[]"):
    return CliRunner().invoke(app, ["compose", *arguments], env={"HIP_FACILITIES": facilities})


def test_without_a_type_every_required_bundle_is_printed():
    done = run(str(MEERA))
    assert done.exit_code == 0
    bundles = json.loads(done.stdout)
    assert list(bundles) == ["OPConsultation", "Prescription"]
    assert all(bundle["type"] == "document" for bundle in bundles.values())


@pytest.mark.parametrize("spelling", ["Prescription", "PRESCRIPTION", "prescription"])
def test_with_a_type_the_bare_bundle_is_printed(spelling):
    done = run(str(MEERA), "--hi-type", spelling)
    assert (done.exit_code, json.loads(done.stdout)["resourceType"]) == (0, "Bundle")


def test_the_facility_is_named_as_in_the_settings():
    named = json.loads(run(str(MEERA), "--hi-type", "Prescription", facilities=CLINIC).stdout)
    plain = json.loads(run(str(MEERA), "--hi-type", "Prescription").stdout)
    custodians = [each["entry"][0]["resource"]["custodian"]["display"] for each in (named, plain)]
    assert custodians == ["Demo Clinic", "IN0410000123"]


def test_a_bad_file_names_the_field(tmp_path):
    bad = tmp_path / "visit.json"
    bad.write_text(MEERA.read_text(encoding="utf-8").replace("118", '"118"'), encoding="utf-8")
    done = run(str(bad))
    assert done.exit_code == 2
    assert "vitals.systolic: expected a number" in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


@pytest.mark.parametrize("content", [b"", b"[" * 10_000, b"\xff\xfe", b'{"a": NaN}'])
def test_a_file_that_is_no_visit_is_refused(tmp_path, content):
    bad = tmp_path / "visit.json"
    bad.write_bytes(content)
    assert run(str(bad)).exit_code == 2


def test_a_missing_file_an_unknown_type_and_a_type_without_data_are_usage_faults():
    assert run("nowhere.json").exit_code == 2
    assert "one of OPConsultation" in run(str(MEERA), "--hi-type", "Xray").stderr
    refused = run(str(MEERA), "--hi-type", "Invoice")
    assert (refused.exit_code, refused.stdout) == (2, "")


def test_a_bad_setting_is_named():
    done = run(str(MEERA), facilities="{")
    assert done.exit_code == 2
    assert "HIP_FACILITIES" in done.stderr

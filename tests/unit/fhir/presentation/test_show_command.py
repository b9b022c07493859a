"""``hip bundle show``: what it prints, and the exit codes it shares with validate."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tests.unit.fhir.presentation.examples import Tree, document, resource
from typer.testing import CliRunner

from hip.domain.hi_types import HiType
from hip.entrypoints.cli.main import app


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(app, ["bundle", *arguments], input=stdin, env={"HIP_STORAGE": "memory"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.fixture
def prescription() -> Tree:
    return document("02", HiType.PRESCRIPTION)


def written(folder: Path, bundle: Any) -> str:
    path = folder / "bundle.json"
    path.write_text(json.dumps(bundle))
    return str(path)


def test_a_document_is_shown_line_by_line(tmp_path: Path, prescription: Tree) -> None:
    result = run("show", written(tmp_path, prescription))
    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0] == "Prescription"
    assert "  Name: Suresh Yadav" in lines
    assert lines.index("[Prescription]") < lines.index("  Medication request")
    assert any(line.startswith("    Dosage: ") for line in lines)
    assert lines[-1] == "no gaps"
    assert result.stderr == ""


def test_every_gap_is_marked_with_what_to_add_and_where(tmp_path: Path) -> None:
    bundle = document("02", HiType.OP_CONSULTATION)
    number = next(n for n, one in enumerate(bundle["entry"]) if "valueQuantity" in one["resource"])
    del bundle["entry"][number]["resource"]["valueQuantity"]
    path = f"Bundle.entry[{number}].resource"
    result = run("show", written(tmp_path, bundle))
    wanted = f"    Value: NA here  add value[x], component, hasMember or dataAbsentReason at {path}"
    assert wanted in result.stdout.splitlines()
    assert result.stdout.endswith("1 gap: patient apps show NA there\n")
    assert result.exit_code == 0, "a gap is no error"
    [shown] = json.loads(run("validate", "--json", written(tmp_path, bundle)).stdout)
    assert [issue["path"] for issue in shown["issues"] if issue["rule"] == "shown-as-na"] == [path]


def test_standard_input_and_json(prescription: Tree) -> None:
    result = run("show", "-", "--json", stdin=json.dumps(prescription).encode())
    shown = json.loads(result.stdout)
    assert (result.exit_code, shown["file"], shown["valid"]) == (0, "-", True)
    assert shown["page"]["title"] == "Prescription"
    assert [section["title"] for section in shown["page"]["sections"]] == ["Prescription"]
    assert shown["page"]["gaps"] == []
    row = shown["page"]["sections"][0]["items"][0]["rows"][0]
    assert set(row) == {"label", "value", "path"}


def test_an_invalid_document_is_shown_as_far_as_it_goes_and_exits_with_1(tmp_path: Path, prescription: Tree) -> None:
    del resource(prescription, "Composition")["title"]
    result = run("show", written(tmp_path, prescription))
    assert result.exit_code == 1
    assert result.stdout.startswith("Document without a title\n")
    assert "invalid, 1 error" in result.stderr
    shown = json.loads(run("show", "--json", written(tmp_path, prescription)).stdout)
    assert not shown["valid"]
    assert [issue["path"] for issue in shown["issues"] if issue["severity"] == "error"] == [
        "Bundle.entry[0].resource.title"
    ]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="no type"),
        pytest.param(b'{"resourceType": "Patient"}', id="another resource"),
        pytest.param(b'{"resourceType": "Bundle", "total": NaN}', id="NaN"),
        pytest.param(b'{"resourceType": "Bundle", "type": "\xff"}', id="no UTF-8"),
        pytest.param(b'{"resourceType": "Bundle", "a": 1, "a": 2}', id="a name twice"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, id="10,000 levels"),
        pytest.param(b'{"resourceType": "Bundle", "a": "' + b"x" * (1 << 20) + b'"}', id="over the limit"),
    ],
)
def test_what_is_no_document_exits_with_1_and_says_what_validate_says(content: bytes) -> None:
    plain = run("show", "-", "--max-mb", "1", stdin=content)
    assert (plain.exit_code, plain.stdout) == (1, "")
    assert plain.stderr.startswith("-: ")
    assert len(plain.stderr.splitlines()) == 1
    [verdict] = json.loads(run("validate", "-", "--json", "--max-mb", "1", stdin=content).stdout)
    shown = json.loads(run("show", "-", "--json", "--max-mb", "1", stdin=content).stdout)
    assert [issue["rule"] for issue in shown["issues"]] == [issue["rule"] for issue in verdict["issues"]]
    assert (shown["file"], shown["valid"], shown["page"]) == (verdict["file"], verdict["valid"], None)


def test_a_bundle_without_entries_is_shown_empty_and_invalid() -> None:
    result = run("show", "-", stdin=b'{"resourceType": "Bundle", "entry": 5}')
    assert result.exit_code == 1
    assert result.stdout.startswith("Document without a Composition\n")


def test_an_unreadable_file_and_bad_usage_exit_with_2(tmp_path: Path) -> None:
    missing = run("show", str(tmp_path / "none.json"))
    assert missing.exit_code == 2
    assert "No such file" in missing.stderr
    assert json.loads(run("show", "--json", str(tmp_path)).stdout)["issues"][0]["rule"] == "file-unreadable"
    assert run("show").exit_code == 2
    assert run("show", "-", "--guide", str(tmp_path / "none.gz"), stdin=b"{}").exit_code == 2
    for key in ("88120/Prescription", "IN0410000123/88120/Horoscope", "IN0410000123"):
        result = run("show", "--stored", key)
        assert result.exit_code == 2
        assert "HIP/VISIT/TYPE" in result.stderr


def test_nothing_stored_is_shown_in_memory_mode() -> None:
    assert run("show", "--stored", "IN0410000123/88120/Prescription").exit_code == 2

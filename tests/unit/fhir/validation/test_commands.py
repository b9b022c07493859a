"""``hip bundle validate`` and ``hip ig compile``: what they print, what they exit with."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.unit.fhir.validation.documents import document, profile
from typer.testing import CliRunner

from hip.adapters.fhir.validation.guide import SHIPPED, read_guide
from hip.entrypoints.cli import ig
from hip.entrypoints.cli.validation import validate

Tree = dict[str, Any]

VALID = document({"resourceType": "Patient", "name": [{"text": "Asha"}]})
INVALID = {**VALID, "type": "collection"}
KEYS = ["severity", "rule", "profile", "path", "found", "expected", "message", "fix"]

app = typer.Typer()
app.command("validate")(validate)
app.add_typer(ig.app, name="ig")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    written = {"good.json": VALID, "bad.json": INVALID, "list.json": []}
    for name, content in written.items():
        (tmp_path / name).write_text(json.dumps(content))
    lines = [VALID, INVALID, VALID]
    (tmp_path / "many.ndjson").write_text("\n".join(json.dumps(line) for line in lines) + "\n\n")
    return {path.name: str(path) for path in tmp_path.iterdir()}


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["validate", *arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def verdicts(*arguments: str, stdin: str | None = None) -> tuple[int, list[Tree]]:
    code, out, _ = run("--json", *arguments, stdin=stdin)
    answers: list[Tree] = json.loads(out)
    for answer in answers:
        assert list(answer) == ["file", "valid", "issues"]
        for issue in answer["issues"]:
            assert list(issue) == KEYS
            assert all(isinstance(value, str) for value in issue.values())
    return code, answers


def test_valid_documents_exit_with_0(files: dict[str, str]) -> None:
    code, answers = verdicts(files["good.json"], files["good.json"])
    assert (code, [one["valid"] for one in answers]) == (0, [True, True])


def test_an_invalid_document_exits_with_1_and_every_file_appears(files: dict[str, str]) -> None:
    code, answers = verdicts(files["good.json"], files["bad.json"], files["list.json"])
    assert code == 1
    assert [(one["file"], one["valid"]) for one in answers] == [
        (files["good.json"], True),
        (files["bad.json"], False),
        (files["list.json"], False),
    ]
    assert [issue["rule"] for issue in answers[2]["issues"]] == ["json-syntax"]


def test_an_unreadable_file_exits_with_2_and_the_others_are_still_checked(
    files: dict[str, str], tmp_path: Path
) -> None:
    absent = str(tmp_path / "absent.json")
    code, answers = verdicts(absent, files["good.json"], str(tmp_path))
    assert code == 2
    assert [(one["file"], one["valid"]) for one in answers][:2] == [(absent, False), (files["good.json"], True)]
    code, _, complaint = run(absent)
    assert code == 2
    assert absent in complaint


def test_no_file_is_bad_usage() -> None:
    assert run()[0] == 2


def test_standard_input_is_one_document_or_a_stream(files: dict[str, str]) -> None:
    assert verdicts("-", stdin=json.dumps(VALID, indent=2))[1][0]["file"] == "-"
    code, answers = verdicts("-", stdin=Path(files["many.ndjson"]).read_text())
    assert code == 1
    assert [(one["file"], one["valid"]) for one in answers] == [("-:1", True), ("-:2", False), ("-:3", True)]
    assert verdicts("-", stdin="")[1][0]["valid"] is False
    assert verdicts("-", stdin=json.dumps(VALID) + "\n")[1] == verdicts("-", stdin=json.dumps(VALID))[1]


def test_a_stream_of_documents_is_checked_line_by_line(files: dict[str, str]) -> None:
    code, answers = verdicts(files["many.ndjson"])
    name = files["many.ndjson"]
    assert code == 1
    assert [one["file"] for one in answers] == [f"{name}:1", f"{name}:2", f"{name}:3"]


def test_a_line_over_the_limit_is_passed_over(tmp_path: Path) -> None:
    stream = tmp_path / "long.ndjson"
    stream.write_text("\n".join(("{" + " " * 3_000_000 + "}", json.dumps(VALID))))
    code, answers = verdicts("--max-mb", "1", str(stream))
    assert code == 1
    assert [issue["rule"] for issue in answers[0]["issues"]] == ["document-size"]
    assert [one["valid"] for one in answers] == [False, True]


def test_plain_lines_say_what_to_do(files: dict[str, str]) -> None:
    code, out, _ = run(files["good.json"], files["bad.json"])
    assert code == 1
    assert f"{files['good.json']}: valid" in out
    assert "error Bundle.type [fixed-value]" in out
    assert 'fix: write "document"' in out
    assert "warning" in run("--warnings", files["good.json"])[1]


def test_a_package_becomes_a_guide_that_can_be_used(tmp_path: Path, files: dict[str, str]) -> None:
    source = tmp_path / "little-2.0.0.json"
    source.write_text(json.dumps({"resourceType": "Bundle", "entry": [{"resource": profile("X", "Patient")}]}))
    guide = tmp_path / "little.guide"
    result = CliRunner().invoke(app, ["ig", "compile", str(source), "-o", str(guide)])
    assert result.exit_code == 0, result.output
    assert ("little", "2.0.0") in read_guide(guide).packages
    assert verdicts("--guide", str(guide), files["good.json"])[0] == 0


def test_what_is_no_package_and_no_guide_is_bad_usage(tmp_path: Path, files: dict[str, str]) -> None:
    out = str(tmp_path / "out")
    assert CliRunner().invoke(app, ["ig", "compile", files["list.json"], "-o", out]).exit_code == 2
    assert CliRunner().invoke(app, ["ig", "compile", str(tmp_path / "absent.tgz"), "-o", out]).exit_code == 2
    assert CliRunner().invoke(app, ["ig", "compile", str(SHIPPED), "-o", out]).exit_code == 2
    assert run("--guide", files["good.json"], files["good.json"])[0] == 2

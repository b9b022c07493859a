"""The evidence of `hip certify`: whole, the same again with the same seed, and free of what is personal."""

import hashlib
import json
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.builders.reports import normalised, played, reported

from hip.domain.errors import InvalidValue
from hip.entrypoints.certify.catalogue import Case, Twin, cases, chosen
from hip.entrypoints.certify.redaction import redacted
from hip.entrypoints.certify.report.markup import Html, tag
from hip.entrypoints.certify.report.pages import case_page, file_name
from hip.entrypoints.certify.report.writing import as_junit, require_ours
from hip.entrypoints.certify.running import ROOM, Failure, Result, TwinResult
from hip.entrypoints.certify.townsfolk import Person

SOME = chosen(["DAT_03", "USER_INIT_LINK_605", "HIP_INIT_REVOKE_CONSENT", "HIP_INTI_LINK_201", "HIP_INTI_LINK_505"])


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results, settings = played(SOME)
    return reported(tmp_path_factory.mktemp("report"), results, settings)


def test_two_runs_with_one_seed_write_the_same_but_for_times_and_ids(report: Path, tmp_path: Path) -> None:
    results, settings = played(SOME)
    assert normalised(reported(tmp_path, results, settings)) == normalised(report)


@pytest.mark.soak
def test_two_whole_runs_with_one_seed_write_the_same_but_for_times_and_ids(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        results, settings = played(cases(), seed=7)
        reported(folder, results, settings, seed=7)
    one, other = map(normalised, folders)
    assert one == other


def test_another_seed_is_other_people(report: Path, tmp_path: Path) -> None:
    results, settings = played(chosen(["HIP_INTI_LINK_505"]), seed=2)
    other = normalised(reported(tmp_path, results, settings))
    assert other["cases/HIP_INTI_LINK_505.html"] != normalised(report)["cases/HIP_INTI_LINK_505.html"]


def test_the_report_holds_nothing_of_a_person_and_no_secret(report: Path) -> None:
    """DATA-03: names and lengths are shown, values never."""
    people = [
        Person((cases().index(case) + 1) * ROOM + offset, 1) for case in SOME for offset in (*range(5), *range(50, 55))
    ]
    personal = {value for one in people for value in (one.name, one.address, one.mobile, one.abha_number)}
    secrets = {"hip-secret-of-the-sandbox", "hiu-secret-of-the-sandbox", "Bearer "}
    for path in report.rglob("*"):
        if path.is_file() and path.suffix != ".zip":
            text = path.read_text(encoding="utf-8")
            assert {value for value in personal | secrets if value in text} == set(), path.name


class _Loads(HTMLParser):
    """Collects whatever a browser would run or fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "link", "img", "iframe") or any(name.startswith("on") for name in values):
            self.found.append(tag)
        if "://" in (values.get("href") or ""):
            self.found.append(str(values["href"]))


def test_pages_run_no_script_and_load_nothing(report: Path) -> None:
    for page in report.rglob("*.html"):
        seen = _Loads()
        seen.feed(page.read_text(encoding="utf-8"))
        assert seen.found == [], page.name


def test_each_case_has_a_page_the_index_leads_to(report: Path) -> None:
    index = (report / "index.html").read_text(encoding="utf-8")
    for case in SOME:
        name = file_name(Result(case=case))
        assert f'href="{name}"' in index
        assert (report / name).is_file()


def test_a_page_shows_exchange_documents_decisions_and_requests(report: Path) -> None:
    page = (report / "cases/DAT_03.html").read_text(encoding="utf-8")
    for part in (
        "<svg",
        "Documents as they arrived",
        "satisfies base R4",
        "Decision records",
        "text(36)",
        "sealed page",
    ):
        assert part in page


def test_every_file_has_its_hash_and_is_in_the_archive(report: Path) -> None:
    sums = dict(reversed(line.split("  ")) for line in (report / "SHA256SUMS").read_text().splitlines())
    files = {str(path.relative_to(report)) for path in report.rglob("*") if path.is_file()}
    assert set(sums) == files - {"SHA256SUMS", "evidence.zip"}
    for name, digest in sums.items():
        assert hashlib.sha256((report / name).read_bytes()).hexdigest() == digest
    with zipfile.ZipFile(report / "evidence.zip") as archive:
        assert set(archive.namelist()) == files - {"evidence.zip"}


def test_the_json_states_versions_configuration_and_its_digest(report: Path) -> None:
    content = json.loads((report / "report.json").read_text(encoding="utf-8"))
    facts = content["facts"]
    assert content["held"] is True
    assert facts["configuration"]["HIP_CLIENT_SECRET"] == "set"
    lines = "".join(f"{name}={value}\n" for name, value in sorted(facts["configuration"].items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == facts["configurationDigest"]
    assert {"hip", "cases", "Python"} <= set(facts["versions"])


def _failed(case: Case) -> Result:
    fault = Failure(rule="LINK-05", seen="linked <b>too early", look="hip links show 1")
    return Result(
        case=case, failure=fault, twins=(TwinResult(twin=Twin(name="t", changed="c", fails="X"), failure=None),)
    )


def test_a_failing_case_is_said_in_html_and_junit() -> None:
    result = _failed(chosen(["LNK_01"])[0])
    page = case_page(result)
    assert "LINK-05" in page
    assert "linked &lt;b&gt;too early" in page
    assert "not as it must" in page
    suite = ET.fromstring(as_junit([result, Result(case=chosen(["HIP_INTI_LINK_201"])[0])]))
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "2", "1")


def test_redaction_keeps_names_lengths_and_the_words_of_the_contract() -> None:
    body = {"hiType": "Prescription", "name": "Asha Patil", "count": 2, "year": 1950, "list": [{"status": "OK"}, None]}
    assert redacted(body) == {
        "hiType": "Prescription",
        "name": "text(10)",
        "count": 2,
        "year": "number",
        "list": [{"status": "OK"}, None],
    }
    assert redacted({"status": "the patient <Asha>"}) == {"status": "text(18)"}


def test_text_is_escaped_where_it_is_set() -> None:
    assert tag("p", "<script>", title='"') == '<p title="&quot;">&lt;script&gt;</p>'
    assert tag("p", Html("<b>x</b>")) == "<p><b>x</b></p>"


def test_a_folder_with_other_things_is_not_written_into(tmp_path: Path) -> None:
    require_ours(tmp_path / "new")
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InvalidValue, match="--report"):
        require_ours(tmp_path)

"""Writes a report: HTML, JSON, JUnit XML, the hash of each file, and all of it in one archive."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from hip.domain.errors import InvalidValue
from hip.entrypoints.certify.report.facts import Facts
from hip.entrypoints.certify.report.pages import case_page, file_name, index
from hip.entrypoints.certify.running import Result
from hip.entrypoints.certify.verdicts import tally

SUMS, ARCHIVE = "SHA256SUMS", "evidence.zip"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can state: archives of equal files are equal."""


def write_report(folder: Path, results: Sequence[Result], facts: Facts) -> Path:
    """Into ``folder``, which is made or was a report before; returns the first page.

    Raises InvalidValue as ``require_ours`` does.
    """
    require_ours(folder)
    written = {"index.html": index(results, facts)}
    written |= {file_name(result): case_page(result) for result in results}
    written["report.json"] = json.dumps(as_data(results, facts), ensure_ascii=False, indent=2) + "\n"
    written["junit.xml"] = as_junit(results)
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    sums = "".join(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sorted(written.items()))
    (folder / SUMS).write_text(sums, encoding="utf-8")
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted({**written, SUMS: sums}.items()):
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), text, zipfile.ZIP_DEFLATED)
    return folder / "index.html"


def as_data(results: Sequence[Result], facts: Facts) -> dict[str, Any]:
    """Everything of the report as JSON."""
    return {
        "summary": tally(results),
        "held": all(result.held for result in results if result.case.required),
        "facts": msgspec.to_builtins(facts),
        "cases": [_case(result) for result in results],
    }


def as_junit(results: Sequence[Result]) -> str:
    """One ``testcase`` for each case and each twin; replaced cases are skipped."""
    suite = ET.Element("testsuite", name="hip certify")
    for result in results:
        one = ET.SubElement(
            suite, "testcase", name=result.case.key, classname=result.case.level, time=f"{result.seconds:.3f}"
        )
        if not result.played:
            ET.SubElement(one, "skipped", message=result.case.note)
        if result.failure is not None:
            fault = result.failure
            failure = ET.SubElement(one, "failure", type=fault.rule, message=fault.seen)
            failure.text = f"look at: {fault.look}"
        for twin in result.twins:
            own = ET.SubElement(suite, "testcase", name=f"{result.case.key}: {twin.twin.name}", classname="twin")
            if not twin.right:
                seen = "it held" if twin.failure is None else f"it failed at {twin.failure.rule}"
                ET.SubElement(own, "failure", type=twin.twin.fails, message=seen)
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("*/failure"))))
    suite.set("skipped", str(len(suite.findall("*/skipped"))))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(result: Result) -> dict[str, Any]:
    return {
        "case": msgspec.to_builtins(result.case),
        "verdict": result.word,
        "seconds": round(result.seconds, 3),
        "failure": None if result.failure is None else asdict(result.failure),
        "shown": [asdict(one) for one in result.shown],
        "twins": [
            {
                "name": twin.twin.name,
                "right": twin.right,
                "failure": None if twin.failure is None else asdict(twin.failure),
            }
            for twin in result.twins
        ],
        "evidence": asdict(result.evidence),
    }


def require_ours(folder: Path) -> None:
    """Raises InvalidValue for a folder that holds something else than an earlier report."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / SUMS).is_file())):
        raise InvalidValue("--report", "an empty folder, or one that holds an earlier report")

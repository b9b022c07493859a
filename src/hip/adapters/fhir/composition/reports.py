"""Laboratory and imaging reports."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hip.adapters.fhir.composition import wording
from hip.adapters.fhir.composition.codes import DICOM, LOINC, REPORT_CATEGORIES, SNOMED
from hip.adapters.fhir.composition.documents import attachment, images
from hip.adapters.fhir.composition.draft import Draft, Part, Reference, Resource, codeable
from hip.adapters.fhir.composition.measures import LABORATORY
from hip.adapters.fhir.composition.observations import lab_result
from hip.domain.clinical_documents import Attachment
from hip.domain.clinical_reports import ImagingReport, LabReport

# The profiles demand a conclusion; AMRIT's empty string is invalid, and inventing one would be worse.
_NO_CONCLUSION = "No conclusion is recorded."


def each_report(draft: Draft) -> list[Part]:
    """One N:DiagnosticReportLab or N:DiagnosticReportImaging a report, for a discharge summary."""
    parts = []
    for index, lab in enumerate(draft.record.lab_reports):
        results, specimens = _results(draft, lab, f"lab-report-{index}")
        made = _report(draft, lab.text, lab.issued, codeable(lab, LOINC), "laboratory")
        _describe_lab(draft, made, [lab], results, specimens)
        reference = draft.add(made, "lab-report", index, profile="DiagnosticReportLab")
        parts.append(Part(reference, "; ".join(_lab_words(lab))))
    for index, imaging in enumerate(draft.record.imaging_reports):
        made = _report(draft, imaging.text, imaging.issued, codeable(imaging, LOINC), "imaging")
        _describe_imaging(draft, made, [(index, imaging)])
        reference = draft.add(made, "imaging-report", index, profile="DiagnosticReportImaging")
        parts.append(Part(reference, _imaging_words(imaging)))
    return parts


def one_report(draft: Draft) -> list[Part]:
    """All reports of the visit as the single DiagnosticReport this record has room for.

    One report is itself. Several laboratory reports become panels (``hasMember``) whose results stand in the report
    too; imaging reports beside them add their media and conclusions.
    """
    labs, imagings = draft.record.lab_reports, draft.record.imaging_reports
    if not labs and not imagings:
        return []
    kind = "laboratory" if labs else "imaging"
    reports: tuple[LabReport | ImagingReport, ...] = (*labs, *imagings)
    title = ", ".join(report.text.strip() for report in reports)
    code = codeable(reports[0], LOINC) if len(reports) == 1 else {"text": title}
    issued = max((report.issued for report in reports if report.issued is not None), default=None)
    made = _report(draft, title, issued, code, kind)
    if labs:
        results, specimens = _grouped(draft, labs)
        _describe_lab(draft, made, labs, results, specimens)
    if imagings:
        _describe_imaging(draft, made, list(enumerate(imagings)))
    made["conclusion"] = _conclusion(reports)
    profile = "DiagnosticReportLab" if labs else "DiagnosticReportImaging"
    reference = draft.add(made, "reports", profile=profile)
    lines = [line for lab in labs for line in _lab_words(lab)] + [_imaging_words(one) for one in imagings]
    return [Part(reference, lines[0]), *(Part({}, line) for line in lines[1:])]


def _report(draft: Draft, title: str, issued: datetime | None, code: dict[str, Any], kind: str) -> Resource:
    return {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "category": [REPORT_CATEGORIES[kind].concept()],
        "code": {**code, "text": title.strip()},
        "subject": draft.patient,
        "encounter": draft.encounter,
        "effectiveDateTime": draft.record.start.isoformat(),
        "issued": (issued or draft.moment).isoformat(),
        "performer": [draft.organization],
        "resultsInterpreter": [draft.practitioner],
    }


def _describe_lab(
    draft: Draft,
    made: Resource,
    labs: Iterable[LabReport],
    results: list[Reference],
    specimens: list[Reference],
) -> None:
    made["result"] = results
    if specimens:
        made["specimen"] = specimens
    for lab in labs:
        if lab.category is not None:
            made["category"] = [codeable(lab.category, SNOMED)]
        if lab.number is not None:
            made.setdefault("identifier", []).append(_number(draft, lab.number))
        _present(draft, made, lab.attachment)
    made["conclusion"] = _conclusion(labs)


def _describe_imaging(draft: Draft, made: Resource, numbered: list[tuple[int, ImagingReport]]) -> None:
    for index, imaging in numbered:
        for reference in images(draft, imaging, f"imaging-{index}"):
            made.setdefault("media", []).append({"link": reference})
        if imaging.study_uid is not None:
            made.setdefault("imagingStudy", []).append(_study(draft, imaging, index))
        if imaging.number is not None:
            made.setdefault("identifier", []).append(_number(draft, imaging.number))
        _present(draft, made, imaging.attachment)
    made["conclusion"] = _conclusion([imaging for _index, imaging in numbered])


def _grouped(draft: Draft, labs: tuple[LabReport, ...]) -> tuple[list[Reference], list[Reference]]:
    results: list[Reference] = []
    specimens: list[Reference] = []
    for index, lab in enumerate(labs):
        members, seen = _results(draft, lab, f"lab-report-{index}")
        specimens += seen
        if len(labs) > 1:
            panel: Resource = {
                "resourceType": "Observation",
                "status": "final",
                "category": [LABORATORY.concept()],
                "code": codeable(lab, LOINC, SNOMED),
                "subject": draft.patient,
                "encounter": draft.encounter,
                "effectiveDateTime": _taken(draft, lab),
                "performer": [draft.organization],
                "hasMember": members,
            }
            results.append(draft.add(panel, "panel", index, profile="Observation"))
        results += members
    return results, specimens


def _results(draft: Draft, lab: LabReport, kind: str) -> tuple[list[Reference], list[Reference]]:
    specimen = None
    if lab.specimen is not None:
        received = lab.specimen.received or lab.specimen.collected or draft.record.start
        sample: Resource = {
            "resourceType": "Specimen",
            "type": codeable(lab.specimen, SNOMED),
            "subject": draft.patient,
            "receivedTime": received.isoformat(),
        }
        if lab.specimen.collected is not None:
            sample["collection"] = {"collectedDateTime": lab.specimen.collected.isoformat()}
        specimen = draft.add(sample, kind, profile="Specimen")
    taken = _taken(draft, lab)
    results = [lab_result(draft, each, kind, index, taken, specimen) for index, each in enumerate(lab.results)]
    return results, [] if specimen is None else [specimen]


def _taken(draft: Draft, lab: LabReport) -> str:
    moment = lab.specimen.collected if lab.specimen is not None else None
    return (moment or draft.record.start).isoformat()


def _study(draft: Draft, imaging: ImagingReport, index: int) -> Reference:
    made: Resource = {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{imaging.study_uid}"}],
        "status": "available",
        "subject": draft.patient,
        "encounter": draft.encounter,
        "started": (imaging.issued or draft.record.start).isoformat(),
        "description": imaging.text.strip(),
    }
    if imaging.modality is not None:
        made["modality"] = [{"system": DICOM, "code": imaging.modality, "display": imaging.modality}]
    return draft.add(made, "imaging-study", index, profile="ImagingStudy")


def _present(draft: Draft, made: Resource, file: Attachment | None) -> None:
    if file is not None:
        made.setdefault("presentedForm", []).append(attachment(draft, file))


def _number(draft: Draft, number: str) -> dict[str, str]:
    return {"system": draft.system("reports"), "value": number.strip()}


def _conclusion(reports: Iterable[LabReport | ImagingReport]) -> str:
    said = [(report.text.strip(), _said(report)) for report in reports]
    known = [(title, words) for title, words in said if words]
    if len(said) == 1 and known:
        return known[0][1]
    return "\n".join(f"{title}: {words}" for title, words in known) or _NO_CONCLUSION


def _said(report: LabReport | ImagingReport) -> str:
    parts = [report.findings] if isinstance(report, ImagingReport) else []
    return "\n".join(part.strip() for part in (*parts, report.conclusion) if part)


def _lab_words(lab: LabReport) -> list[str]:
    title = wording.with_notes(lab.text, lab.conclusion)
    return [f"{title}: {wording.lab_result(lab.results[0])}", *(wording.lab_result(each) for each in lab.results[1:])]


def _imaging_words(imaging: ImagingReport) -> str:
    return wording.with_notes(imaging.text, imaging.findings, imaging.conclusion)

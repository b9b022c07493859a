"""Files of a visit: DocumentReference, Binary, Media, and the attachment they share."""

from typing import Any

from hip.adapters.fhir.composition.codes import DICOM, SNOMED
from hip.adapters.fhir.composition.draft import Draft, Part, Reference, Resource, codeable
from hip.adapters.fhir.composition.layouts import LAYOUTS
from hip.adapters.fhir.composition.wording import with_notes
from hip.domain.clinical_documents import Attachment
from hip.domain.clinical_reports import ImagingReport


def attachment(draft: Draft, file: Attachment) -> dict[str, Any]:
    """FHIR's Attachment; ``data`` stays bytes here and becomes base64 when the bundle is encoded."""
    return {
        "contentType": file.media_type.value,
        "language": "en-IN",
        "data": file.data,
        "title": file.title.strip(),
        "creation": (file.created or draft.moment).isoformat(),
    }


def document_references(draft: Draft) -> list[Part]:
    """One N:DocumentReference a document that belongs to this bundle's HI type; no other document enters it."""
    layout = LAYOUTS[draft.hi_type]
    parts = []
    for index, each in enumerate(draft.record.documents):
        if each.belongs_to is not draft.hi_type:
            continue
        kind: dict[str, Any]
        if each.kind is not None:
            kind = codeable(each.kind, SNOMED)
        else:
            kind = {"text": layout.text} if layout.code is None else layout.code.concept(layout.text)
        made: Resource = {
            "resourceType": "DocumentReference",
            "status": "current",
            "docStatus": "final",
            "type": kind,
            "subject": draft.patient,
            "date": (each.created or draft.moment).isoformat(),
            "author": [draft.practitioner],
            "custodian": draft.organization,
            "description": each.title.strip(),
            "content": [{"attachment": attachment(draft, each)}],
            "context": {"encounter": [draft.encounter]},
        }
        words = with_notes(each.title, each.kind.text if each.kind else None)
        parts.append(Part(draft.add(made, "document", index, profile="DocumentReference"), words))
    return parts


def scanned_prescription(draft: Draft) -> list[Part]:
    """The N:Binary of a scanned prescription; the profile has a place for one."""
    parts = []
    for index, each in enumerate(draft.record.documents):
        if each.belongs_to is draft.hi_type:
            made: Resource = {"resourceType": "Binary", "contentType": each.media_type.value, "data": each.data}
            parts.append(Part(draft.add(made, "document", index, profile="Binary"), each.title.strip()))
    return parts


def images(draft: Draft, report: ImagingReport, kind: str) -> list[Reference]:
    """One N:Media an image. A report without images gets its own words as one, for the profile demands a Media."""
    contents = [attachment(draft, image) for image in report.images]
    if not contents and report.attachment is not None:
        contents = [attachment(draft, report.attachment)]
    if not contents:
        words = "\n".join(part.strip() for part in (report.text, report.findings, report.conclusion) if part)
        contents = [{"contentType": "text/plain;charset=utf-8", "data": words.encode(), "title": report.text.strip()}]
    references = []
    for index, content in enumerate(contents):
        made: Resource = {
            "resourceType": "Media",
            "status": "completed",
            "subject": draft.patient,
            "encounter": draft.encounter,
            "createdDateTime": (report.issued or draft.moment).isoformat(),
            "content": content,
        }
        if report.modality is not None:
            coding = {"system": DICOM, "code": report.modality, "display": report.modality}
            made["modality"] = {"coding": [coding], "text": report.modality}
        if report.body_site is not None:
            made["bodySite"] = codeable(report.body_site, SNOMED)
        references.append(draft.add(made, f"{kind}/image", index, profile="Media"))
    return references

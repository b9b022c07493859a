"""The shared objects of the JSON form, and its reports, immunisations and invoices."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from hip.domain.clinical_invoices import ChargeKind, InvoiceKind
from hip.domain.clinical_reports import ForecastStatus, Interpretation

Moment = Annotated[datetime, Meta(tz=True, description="Time with its UTC offset: 2026-03-12T10:05:00+05:30")]


class Keys(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Keys in camelCase, unknown ones refused, defaults left out."""


class CodedText(Keys, kw_only=True):
    """Words, with codes beside them when they are known."""

    text: str
    snomed: Annotated[str | None, Meta(description="SNOMED CT concept id")] = None
    snomed_term: Annotated[str | None, Meta(description="Its term, where it differs from text")] = None
    icd10: Annotated[str | None, Meta(description="ICD-10 code")] = None
    icd10_term: str | None = None
    loinc: Annotated[str | None, Meta(description="LOINC code")] = None
    loinc_term: str | None = None


class Measurement(CodedText, kw_only=True):
    """A finding in numbers or words."""

    value: Annotated[float | str | None, Meta(description="A number with a unit, or text")] = None
    unit: str | None = None
    ucum: Annotated[str | None, Meta(description="UCUM code of the unit; common units are recognised without")] = None
    note: str | None = None


class Attachment(Keys, kw_only=True):
    """A PDF, JPEG or PNG file."""

    title: str
    data: Annotated[bytes, Meta(description="The file in base64, at most 10 MiB before encoding")]
    content_type: Annotated[str | None, Meta(description="Must be what the file is; read from it when absent")] = None
    created: Moment | None = None


class ReferenceRange(Keys, kw_only=True):
    """What is normal for a test."""

    low: float | None = None
    high: float | None = None
    text: str | None = None


class LabResult(Measurement, kw_only=True):
    """One result."""

    reference_range: ReferenceRange | None = None
    interpretation: Annotated[Interpretation | None, Meta(description="Worked out from the range when absent")] = None


class Specimen(CodedText, kw_only=True):
    """What was examined."""

    collected: Moment | None = None
    received: Moment | None = None


class LabReport(CodedText, kw_only=True):
    """A named group of results."""

    results: tuple[LabResult, ...]
    category: Annotated[CodedText | None, Meta(description="Service section, such as Haematology")] = None
    conclusion: str | None = None
    number: Annotated[str | None, Meta(description="The laboratory's report number")] = None
    issued: Moment | None = None
    specimen: Specimen | None = None
    attachment: Attachment | None = None


class ImagingReport(CodedText, kw_only=True):
    """An imaging report."""

    findings: str | None = None
    conclusion: str | None = None
    modality: Annotated[str | None, Meta(description="DICOM modality code: CT, MR, US, DX …")] = None
    body_site: CodedText | None = None
    study_uid: Annotated[str | None, Meta(description="DICOM Study Instance UID")] = None
    number: str | None = None
    issued: Moment | None = None
    images: tuple[Attachment, ...] = ()
    attachment: Attachment | None = None


class Immunization(CodedText, kw_only=True):
    """A vaccine given, or recorded as not given."""

    occurred: Annotated[str | None, Meta(description="YYYY, YYYY-MM or YYYY-MM-DD; absent: at this visit")] = None
    given: bool = True
    reason_not_given: str | None = None
    brand: str | None = None
    manufacturer: str | None = None
    lot_number: str | None = None
    expires: date | None = None
    dose_number: int | None = None
    series_doses: int | None = None
    site: CodedText | None = None
    route: str | None = None
    place: Annotated[str | None, Meta(description="Where it was given, when elsewhere")] = None
    note: str | None = None


class ImmunizationDue(CodedText, kw_only=True):
    """A vaccine recommended next."""

    due: date | None = None
    status: ForecastStatus = ForecastStatus.DUE
    target_disease: CodedText | None = None
    dose_number: int | None = None
    series_doses: int | None = None


class InvoiceLine(CodedText, kw_only=True):
    """One line of a bill."""

    kind: ChargeKind = ChargeKind.OTHER
    quantity: float = 1.0
    unit: str | None = None
    rate: Annotated[float, Meta(description="Rupees for one unit, without tax")]
    mrp: Annotated[float | None, Meta(description="Rupees for one unit, with tax")] = None
    discount: Annotated[float, Meta(description="Rupees, whole line")] = 0.0
    cgst: Annotated[float, Meta(description="Rupees, whole line")] = 0.0
    sgst: Annotated[float, Meta(description="Rupees, whole line")] = 0.0
    hsn: Annotated[str | None, Meta(description="HSN code of a medicine")] = None
    batch: str | None = None
    expires: date | None = None


class Invoice(Keys, kw_only=True):
    """The bill of the visit, in Indian rupees."""

    number: str
    kind: InvoiceKind = InvoiceKind.OTHER
    issued: Moment | None = None
    lines: tuple[InvoiceLine, ...]
    stated_net: Annotated[float | None, Meta(description="Total without tax, if rounded")] = None
    stated_gross: Annotated[float | None, Meta(description="Total to pay, if rounded")] = None
    paid: bool = True

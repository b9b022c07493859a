"""Laboratory and imaging reports, and immunisations given or due."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from hip.domain.clinical import Measurement
from hip.domain.clinical_documents import Attachment
from hip.domain.errors import InvalidValue
from hip.domain.recorded import Concept, Recorded, partial_date, within

_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+\Z")


class Interpretation(StrEnum):
    """HL7 v3 ObservationInterpretation, the part laboratories use."""

    NORMAL = "N"
    LOW = "L"
    HIGH = "H"
    CRITICALLY_LOW = "LL"
    CRITICALLY_HIGH = "HH"
    ABNORMAL = "A"
    POSITIVE = "POS"
    NEGATIVE = "NEG"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReferenceRange(Recorded):
    """What is normal for this test: limits in the result's unit, or words."""

    low: Decimal | None = None
    high: Decimal | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        for name in ("low", "high"):
            limit = getattr(self, name)
            if limit is not None:
                within(limit, "-1000000000000", "1000000000000", field=name)
        if self.low is None and self.high is None and self.text is None:
            raise InvalidValue("", "a low or high limit, or text")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidValue("high", "a limit not below low")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LabResult(Measurement):
    """One result of a report. The stated ``interpretation`` wins over the one the range gives."""

    reference_range: ReferenceRange | None = None
    interpretation: Interpretation | None = None

    @property
    def read_as(self) -> Interpretation | None:
        """The stated interpretation, else low, normal or high by the reference range, else None."""
        limits = self.reference_range
        if self.interpretation is not None or limits is None or not isinstance(self.value, Decimal):
            return self.interpretation
        if limits.low is not None and self.value < limits.low:
            return Interpretation.LOW
        if limits.high is not None and self.value > limits.high:
            return Interpretation.HIGH
        return None if limits.low is None and limits.high is None else Interpretation.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Specimen(Concept):
    """What was examined ("Serum"), when it was taken and when it reached the laboratory."""

    collected: datetime | None = None
    received: datetime | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.collected is not None and self.received is not None and self.received < self.collected:
            raise InvalidValue("received", "a time not before collected")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LabReport(Concept):
    """A laboratory report: a named group of results. ``issued`` absent means at the end of the visit."""

    results: tuple[LabResult, ...]
    category: Concept | None = None
    conclusion: str | None = None
    number: str | None = None
    issued: datetime | None = None
    specimen: Specimen | None = None
    attachment: Attachment | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if not self.results:
            raise InvalidValue("results", "at least one result")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImagingReport(Concept):
    """An imaging report. ``modality`` is a DICOM modality code (CT, MR, US, DX …); ``study_uid`` a DICOM UID."""

    findings: str | None = None
    conclusion: str | None = None
    modality: str | None = None
    body_site: Concept | None = None
    study_uid: str | None = None
    number: str | None = None
    issued: datetime | None = None
    images: tuple[Attachment, ...] = ()
    attachment: Attachment | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if not (self.findings or self.conclusion or self.images or self.attachment):
            raise InvalidValue("findings", "findings, a conclusion, an image or an attachment")
        if self.modality is not None and not re.match(r"[A-Z]{2,6}\Z", self.modality):
            raise InvalidValue("modality", "a DICOM modality code such as CT")
        if self.study_uid is not None and (len(self.study_uid) > 64 or not _OID.match(self.study_uid)):
            raise InvalidValue("studyUid", "a DICOM UID such as 1.2.840.113619.2.1")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Immunization(Concept):
    """A vaccine given, or recorded as not given (``given`` false). ``occurred`` may be partial; absent means at
    this visit. Positions in a series count from 1."""

    occurred: str | None = None
    given: bool = True
    reason_not_given: str | None = None
    brand: str | None = None
    manufacturer: str | None = None
    lot_number: str | None = None
    expires: date | None = None
    dose_number: int | None = None
    series_doses: int | None = None
    site: Concept | None = None
    route: str | None = None
    place: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.occurred is not None:
            partial_date(self.occurred, field="occurred")
        _positions(self.dose_number, self.series_doses)
        if self.given and self.reason_not_given is not None:
            raise InvalidValue("reasonNotGiven", "no reason when the vaccine was given")


class ForecastStatus(StrEnum):
    """FHIR immunization-recommendation-status."""

    DUE = "due"
    OVERDUE = "overdue"
    IMMUNE = "immune"
    CONTRAINDICATED = "contraindicated"
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImmunizationDue(Concept):
    """A vaccine recommended next."""

    due: date | None = None
    status: ForecastStatus = ForecastStatus.DUE
    target_disease: Concept | None = None
    dose_number: int | None = None
    series_doses: int | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        _positions(self.dose_number, self.series_doses)


def _positions(dose: int | None, doses: int | None) -> None:
    for name, number in (("doseNumber", dose), ("seriesDoses", doses)):
        if number is not None and not 1 <= number <= 99:
            raise InvalidValue(name, "a whole number from 1 to 99")

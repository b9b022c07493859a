"""What was found, known and advised at a visit. Values only; none of them shows its content in a repr.

Codes are kept as the source gave them. ``text`` is always there and is what a person reads; ``snomed``, ``icd10`` and
``loinc`` stand beside it when known (amrit.md §4: a code is never invented, and an uncoded entry is never dropped).
Dates that may be partial are ISO text: ``2019``, ``2019-05`` or ``2019-05-12``.
"""

import re
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from hip.domain.errors import InvalidValue

MAX_TEXT = 20_000
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PARTIAL_DATE = re.compile(r"([12]\d{3})(?:-(0[1-9]|1[0-2]))?(?:-(0[1-9]|[12]\d|3[01]))?\Z")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}\Z")
_ICD10 = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?\Z")
_LOINC = re.compile(r"[0-9]{1,8}-[0-9]\Z")
_MAX_OFFSET = timedelta(hours=14)


def camel_case(name: str) -> str:
    """``birth_date`` as ``birthDate``: fields are named to callers as they stand in the visit record."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def checked_text(text: str, *, field: str) -> str:
    """Text a FHIR string and XHTML can both carry: something visible, no control characters. Raises InvalidValue."""
    if not text.strip():
        raise InvalidValue(field, "text that is not empty")
    if len(text) > MAX_TEXT:
        raise InvalidValue(field, f"at most {MAX_TEXT} characters")
    if _FORBIDDEN.search(text):
        raise InvalidValue(field, "text without control characters")
    return text


def partial_date(text: str, *, field: str) -> str:
    """``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``, a day that exists. Raises InvalidValue."""
    found = _PARTIAL_DATE.match(text)
    if found is None:
        raise InvalidValue(field, "a date as YYYY-MM-DD, YYYY-MM or YYYY")
    year, month, day = found.groups()
    if day is not None:
        try:
            date(int(year), int(month), int(day))
        except ValueError:
            raise InvalidValue(field, "a day that exists, as YYYY-MM-DD") from None
    return text


def aware(moment: datetime, *, field: str) -> datetime:
    """A time with an offset in whole minutes of at most 14 hours, as FHIR can write it. Raises InvalidValue."""
    offset = moment.utcoffset()
    if offset is None:
        raise InvalidValue(field, "a time with its UTC offset, such as 2026-03-12T10:05:00+05:30")
    if offset % timedelta(minutes=1) or abs(offset) > _MAX_OFFSET:
        raise InvalidValue(field, "a UTC offset in whole minutes of at most 14 hours")
    try:
        moment.timestamp()
        in_range = 1900 <= moment.year <= 2200
    except (OverflowError, ValueError):
        in_range = False
    if not in_range:
        raise InvalidValue(field, "a time between the years 1900 and 2200")
    return moment


def within(number: Decimal, low: str, high: str, *, field: str) -> Decimal:
    """``number`` when it is finite and from ``low`` to ``high``. Raises InvalidValue."""
    if not number.is_finite() or not Decimal(low) <= number <= Decimal(high):
        raise InvalidValue(field, f"a number from {low} to {high}")
    return number


def plain(number: Decimal) -> Decimal:
    """Equal numbers in one spelling: no trailing zeros, no exponent (5.10 is 5.1, 1E+2 is 100)."""
    short = number.normalize()
    exponent = short.as_tuple().exponent
    return short.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else short


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recorded:
    """Anything written down at a visit: every text in it is checked, and its repr says only what kind it is."""

    def __post_init__(self) -> None:
        for each in fields(self):
            held = getattr(self, each.name)
            if type(held) is str:
                checked_text(held, field=camel_case(each.name))
            elif isinstance(held, datetime):
                aware(held, field=camel_case(each.name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Concept(Recorded):
    """Words, with a code beside them when the source knew one.

    ``snomed_term`` is the term of the SNOMED CT code where it differs from ``text``; likewise the other two.
    """

    text: str
    snomed: str | None = None
    snomed_term: str | None = None
    icd10: str | None = None
    icd10_term: str | None = None
    loinc: str | None = None
    loinc_term: str | None = None

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        if self.snomed is not None and not _SNOMED.match(self.snomed):
            raise InvalidValue("snomed", "a SNOMED CT concept id of 6 to 18 digits")
        if self.icd10 is not None and not _ICD10.match(self.icd10):
            raise InvalidValue("icd10", "an ICD-10 code such as E11.9")
        if self.loinc is not None and not _LOINC.match(self.loinc):
            raise InvalidValue("loinc", "a LOINC code such as 718-7")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Complaint(Concept):
    """What the patient came with. ``duration`` is in words ("3 days")."""

    duration: str | None = None
    note: str | None = None


class Certainty(StrEnum):
    """How sure a diagnosis is (FHIR condition-ver-status)."""

    PROVISIONAL = "provisional"
    DIFFERENTIAL = "differential"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Diagnosis(Concept):
    """One diagnosis; several diagnoses in one text of the source are several values here (amrit.md §4)."""

    certainty: Certainty | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PastCondition(Concept):
    """A condition in the medical history. ``since`` may be partial; ``resolved`` when it is over."""

    since: str | None = None
    resolved: bool = False
    note: str | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.since is not None:
            partial_date(self.since, field="since")


class AllergyCategory(StrEnum):
    """FHIR allergy-intolerance-category."""

    FOOD = "food"
    MEDICATION = "medication"
    ENVIRONMENT = "environment"
    BIOLOGIC = "biologic"


class Criticality(StrEnum):
    """FHIR allergy-intolerance-criticality."""

    LOW = "low"
    HIGH = "high"
    UNABLE_TO_ASSESS = "unable-to-assess"


class ReactionSeverity(StrEnum):
    """FHIR reaction-event-severity."""

    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Allergy(Concept):
    """One allergy or intolerance, coded or not. ``severity`` is that of the reactions."""

    category: AllergyCategory | None = None
    criticality: Criticality | None = None
    reactions: tuple[Concept, ...] = ()
    severity: ReactionSeverity | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.severity is not None and not self.reactions:
            raise InvalidValue("severity", "no severity without reactions")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Procedure(Concept):
    """Something done to the patient. ``performed`` may be partial; absent means at this visit."""

    performed: str | None = None
    body_site: Concept | None = None
    outcome: Concept | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.performed is not None:
            partial_date(self.performed, field="performed")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FamilyCondition(Concept):
    """A condition of a relative. ``onset_age`` is in years."""

    onset_age: int | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if self.onset_age is not None and not 1 <= self.onset_age <= 130:
            raise InvalidValue("onsetAge", "a whole number of years from 1 to 130")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FamilyMember(Recorded):
    """One relative and what they had. ``relationship`` is in words ("father"); two uncles are two values."""

    relationship: str
    conditions: tuple[FamilyCondition, ...]
    note: str | None = None

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        if not self.conditions:
            raise InvalidValue("conditions", "at least one condition")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Measurement(Concept):
    """A finding in numbers or words: ``value`` is a number with a ``unit`` in words, or text; absent when unknown.

    ``ucum`` is the unit's UCUM code where the source knows it; common units are recognised without.
    """

    value: Decimal | str | None = None
    unit: str | None = None
    ucum: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        Concept.__post_init__(self)
        if isinstance(self.value, Decimal):
            within(self.value, "-1000000000000", "1000000000000", field="value")
        elif self.unit is not None or self.ucum is not None:
            raise InvalidValue("unit", "no unit without a number in value")
        if self.ucum is not None and not re.match(r"[!-~]+\Z", self.ucum):
            raise InvalidValue("ucum", "a UCUM code such as mg/dL, without spaces")


class AdviceKind(StrEnum):
    """What kind of investigation is asked for."""

    LABORATORY = "laboratory"
    IMAGING = "imaging"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InvestigationAdvice(Concept):
    """A test or image the patient was told to have."""

    kind: AdviceKind = AdviceKind.OTHER
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Referral(Concept):
    """A referral: ``text`` says for what, ``to`` to whom."""

    to: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FollowUp(Recorded):
    """When to come again: a day, or a ``start`` and, if known, an ``end`` (UTC offset included). One of both."""

    day: date | None = None
    start: datetime | None = None
    end: datetime | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        if (self.day is None) == (self.start is None):
            raise InvalidValue("day", "either a day or a start")
        if self.day is not None and not 1900 <= self.day.year <= 2200:
            raise InvalidValue("day", "a day between the years 1900 and 2200")
        if self.end is not None and (self.start is None or self.end <= self.start):
            raise InvalidValue("end", "a time after start")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CarePlan(Recorded):
    """What is to be done after discharge. ``activities`` are in words, in order."""

    title: str
    description: str | None = None
    category: Concept | None = None
    activities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        for index, activity in enumerate(self.activities):
            checked_text(activity, field=f"activities[{index}]")

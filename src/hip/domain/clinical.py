"""What was found, known and advised at a visit. Values only; none of them shows its content in a repr."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from hip.domain.errors import InvalidValue
from hip.domain.recorded import Concept, Recorded, checked_text, partial_date, within


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

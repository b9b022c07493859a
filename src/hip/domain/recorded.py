"""What anything recorded at a visit keeps to: texts, dates, times and numbers that a document can carry, and concepts.

Codes are kept as the source gave them. ``text`` is always there and is what a person reads; ``snomed``, ``icd10`` and
``loinc`` stand beside it when known (amrit.md §4: a code is never invented, and an uncoded entry is never dropped).
Dates that may be partial are ISO text: ``2019``, ``2019-05`` or ``2019-05-12``.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from hip.domain.errors import InvalidValue

MAX_TEXT = 20_000
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_PARTIAL_DATE = re.compile(r"([12]\d{3})(?:-(0[1-9]|1[0-2]))?(?:-(0[1-9]|[12]\d|3[01]))?\Z")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}\Z")
_ICD10 = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?\Z")
_LOINC = re.compile(r"[0-9]{1,8}-[0-9]\Z")
_MAX_OFFSET = timedelta(hours=14)


@lru_cache(maxsize=1024)
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
        for name in self.__dataclass_fields__:
            held = getattr(self, name)
            if held is None:
                continue
            if type(held) is str:
                checked_text(held, field=camel_case(name))
            elif isinstance(held, datetime):
                aware(held, field=camel_case(name))

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

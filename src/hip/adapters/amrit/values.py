"""One value of AMRIT's database as the domain wants it; what AMRIT writes for "nothing" becomes None."""

import re
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from hip.adapters.amrit.names import INDIA

_NOTHING = frozenset({"", "n/a", "na", "null", "nil", "none", "-", "--"})
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}\Z")
_LOINC = re.compile(r"[0-9]{1,8}-[0-9]\Z")
_SEVERAL = re.compile(r"\s*(?:\|\||[|;~,\n])\s*")


def _written(value: Any) -> str:
    """MySQL calls the text of some expressions binary."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def words(value: Any) -> str | None:
    """Text without control characters."""
    if value is None:
        return None
    text = " ".join(_CONTROL.sub(" ", _written(value)).split())
    return None if text.lower() in _NOTHING else text


def number(value: Any) -> Decimal | None:
    """A finite number; AMRIT writes 0 where a vital sign was not taken, so callers say whether 0 counts."""
    try:
        made = Decimal(_written(value).strip()) if value is not None else None
    except InvalidOperation:
        return None
    return made if made is not None and made.is_finite() else None


def measured(value: Any) -> Decimal | None:
    """A number above zero."""
    made = number(value)
    return made if made is not None and made > 0 else None


def moment(value: Any) -> datetime | None:
    """The hospital's wall clock as a time with its offset; years outside 1900-2200 are typing errors of old forms.

    A date alone is its midnight.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime) or not 1900 <= value.year <= 2200:
        return None
    return value.replace(microsecond=0, tzinfo=INDIA) if value.tzinfo is None else value


def snomed(value: Any) -> str | None:
    text = words(value)
    return text if text is not None and _SNOMED.match(text) else None


def loinc(value: Any) -> str | None:
    text = words(value)
    return text if text is not None and _LOINC.match(text) else None


def several(value: Any) -> list[str]:
    """A list that was written into one text."""
    text = None if value is None else _written(value)
    return [part for part in map(words, _SEVERAL.split(text or "")) if part is not None]


def coded_terms(terms: Any, codes: Any) -> list[tuple[str, str | None]]:
    """(term, SNOMED code) of each diagnosis. Those that do not pair up one to one lose the codes, not the words.

    A term may hold commas itself ("Fracture, open"): with a single code it stays whole.
    """
    known = several(codes)
    split = several(terms)
    if len(known) > 1 and len(known) == len(split):
        return [(term, snomed(code)) for term, code in zip(split, known, strict=True)]
    whole = words(terms)
    if whole is None:
        return []
    if len(known) <= 1:
        return [(whole, snomed(known[0]) if known else None)]
    return [(whole, None)]

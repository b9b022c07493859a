"""The prescriber's words → FHIR Dosage. What is understood is structured; the words always stand beside it as text."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from hip.adapters.fhir.composition.codes import GTS, INSTRUCTIONS, ROUTES, UCUM
from hip.domain.clinical_medications import Medication
from hip.domain.recorded import plain


class Rhythm(NamedTuple):
    """So many times in a period. ``abbreviation`` is HL7's code of the rhythm, where it has one."""

    frequency: int
    period: int
    unit: str
    when: tuple[str, ...] = ()
    abbreviation: str = ""


_ONCE = Rhythm(1, 1, "d", abbreviation="QD")
_TWICE = Rhythm(2, 1, "d", abbreviation="BID")
_THRICE = Rhythm(3, 1, "d", abbreviation="TID")
_FOUR_TIMES = Rhythm(4, 1, "d", abbreviation="QID")
_ALTERNATE = Rhythm(1, 2, "d", abbreviation="QOD")

# Word on the prescription, in lower case without dots → rhythm.
RHYTHMS: dict[str, Rhythm] = {
    **dict.fromkeys(("od", "qd", "once daily", "once a day", "daily", "1 time a day", "1/day"), _ONCE),
    **dict.fromkeys(("bd", "bid", "bds", "twice daily", "twice a day", "2 times a day", "2/day"), _TWICE),
    **dict.fromkeys(
        ("tds", "tid", "td", "thrice daily", "thrice a day", "three times a day", "3 times a day", "3/day"), _THRICE
    ),
    **dict.fromkeys(("qid", "qds", "four times a day", "4 times a day", "4/day"), _FOUR_TIMES),
    **dict.fromkeys(("5 times a day", "five times a day"), Rhythm(5, 1, "d")),
    **dict.fromkeys(("hs", "at bedtime", "bedtime"), Rhythm(1, 1, "d", ("HS",))),
    **dict.fromkeys(("om", "mane", "morning", "in the morning"), Rhythm(1, 1, "d", ("MORN",))),
    **dict.fromkeys(("on", "nocte", "at night", "night"), Rhythm(1, 1, "d", ("NIGHT",))),
    **dict.fromkeys(("alternate days", "alternate day", "eod", "qod", "ad", "every other day"), _ALTERNATE),
    **dict.fromkeys(("once weekly", "once a week", "weekly", "ow"), Rhythm(1, 1, "wk")),
    **dict.fromkeys(("twice weekly", "twice a week", "biw"), Rhythm(2, 1, "wk")),
    **dict.fromkeys(("thrice weekly", "thrice a week", "three times a week", "tiw"), Rhythm(3, 1, "wk")),
    **dict.fromkeys(("fortnightly", "once in 2 weeks", "every 2 weeks"), Rhythm(1, 2, "wk")),
    **dict.fromkeys(("monthly", "once a month", "once monthly"), Rhythm(1, 1, "mo")),
}
AS_NEEDED = frozenset({"sos", "prn", "as needed", "when required", "if needed"})
AT_ONCE = frozenset({"stat", "immediately", "single dose", "once only", "once"})

# "1-0-1": morning, afternoon, night; with four places evening stands before night.
_PLACES: dict[int, tuple[str, ...]] = {
    2: ("MORN", "NIGHT"),
    3: ("MORN", "AFT", "NIGHT"),
    4: ("MORN", "AFT", "EVE", "NIGHT"),
}
_AMOUNT = r"(?:\d+(?:\.\d+)?(?:/\d+)?|½|¼|¾)"
_PATTERN = re.compile(rf"{_AMOUNT}(?:\s*[-–+]\s*{_AMOUNT}){{1,3}}\Z")
_HOURLY = re.compile(r"(?:q|every |each )?\s*(\d{1,2})\s*(?:hours|hour|hourly|hrly|hrs|hr|h)\Z")
_FRACTIONS = {"½": "0.5", "¼": "0.25", "¾": "0.75"}
_SPAN = re.compile(r"(?:for|x)?\s*(\d{1,4})\s*(days?|d|weeks?|wks?|w|months?|mo|years?|yrs?|hours?|hrs?|h)\Z")
_SPAN_UNITS = {
    "d": ("d", "days"),
    "w": ("wk", "weeks"),
    "m": ("mo", "months"),
    "y": ("a", "years"),
    "h": ("h", "hours"),
}
_DOSE = re.compile(rf"({_AMOUNT})\s*([^\W\d][\w ./%()-]{{0,40}})\Z")


def dosage(medication: Medication) -> dict[str, Any]:
    """One FHIR Dosage with at least a text ("As directed" when the prescription says nothing)."""
    made: dict[str, Any] = {"text": dosage_text(medication) or "As directed"}
    if medication.instruction is not None:
        known = INSTRUCTIONS.get(medication.instruction.strip().casefold())
        concept: dict[str, object] = {"text": medication.instruction.strip()}
        made["additionalInstruction"] = [concept if known is None else known.concept(medication.instruction.strip())]
    repeat, abbreviation = _timing(medication)
    if repeat:
        made["timing"] = {"repeat": repeat}
        if abbreviation:
            coding = {"system": GTS, "code": abbreviation, "display": abbreviation}
            made["timing"]["code"] = {"coding": [coding], "text": (medication.frequency or "").strip()}
    if medication.frequency is not None and _spelling(medication.frequency) in AS_NEEDED:
        made["asNeededBoolean"] = True
    if medication.route is not None:
        route = ROUTES.get(medication.route.strip().casefold())
        made["route"] = {"text": medication.route.strip()} if route is None else route.concept(medication.route.strip())
    quantity = dose_quantity(medication)
    if quantity is not None:
        made["doseAndRate"] = [{"doseQuantity": quantity}]
    return made


def dosage_text(medication: Medication) -> str:
    """The words as written, in the order people say them; empty when there are none."""
    parts = (medication.dose, medication.frequency, medication.route, medication.duration, medication.instruction)
    return ", ".join(part.strip() for part in parts if part)


def rhythm(frequency: str) -> Rhythm | None:
    """What a frequency says, or None when it is not understood (then it stays text)."""
    word = _spelling(frequency)
    known = RHYTHMS.get(word)
    if known is not None:
        return known
    hourly = _HOURLY.match(word)
    if hourly is not None and 1 <= int(hourly.group(1)) <= 72:
        return Rhythm(1, int(hourly.group(1)), "h")
    amounts = _amounts(word)
    places = _PLACES.get(len(amounts), ())
    when = tuple(place for place, amount in zip(places, amounts, strict=False) if amount)
    return Rhythm(len(when), 1, "d", when) if when else None


def dose_quantity(medication: Medication) -> dict[str, Any] | None:
    """The dose as a quantity: from "1 tablet", or from equal places of "1-0-1" when no dose is given."""
    if medication.dose is not None:
        found = _DOSE.match(medication.dose.strip())
        number = _number(found.group(1)) if found else None
        if found is None or not number:
            return None
        return {"value": plain(number), "unit": found.group(2).strip()}
    if medication.frequency is None:
        return None
    given = {amount for amount in _amounts(_spelling(medication.frequency)) if amount}
    return {"value": plain(given.pop())} if len(given) == 1 else None


def _timing(medication: Medication) -> tuple[dict[str, Any], str]:
    repeat: dict[str, Any] = {}
    abbreviation = ""
    if medication.duration is not None:
        span = _SPAN.match(_spelling(medication.duration))
        if span is not None and int(span.group(1)) > 0:
            code, words = _SPAN_UNITS[span.group(2)[0]]
            repeat["boundsDuration"] = {"value": int(span.group(1)), "unit": words, "system": UCUM, "code": code}
    if medication.frequency is not None:
        if _spelling(medication.frequency) in AT_ONCE:
            repeat["count"] = 1
        found = rhythm(medication.frequency)
        if found is not None:
            repeat.update(frequency=found.frequency, period=found.period, periodUnit=found.unit)
            if found.when:
                repeat["when"] = list(found.when)
            abbreviation = found.abbreviation
    return repeat, abbreviation


def _spelling(words: str) -> str:
    return re.sub(r"\s+", " ", words.strip().casefold().replace(".", "") if not _has_amount(words) else words.strip())


def _has_amount(words: str) -> bool:
    """True for "0.5-0-0.5", whose dots are decimal points."""
    return _PATTERN.match(words.strip()) is not None


def _amounts(word: str) -> list[Decimal]:
    if not _PATTERN.match(word):
        return []
    numbers = [_number(each.strip()) for each in re.split(r"[-–+]", word)]
    return [] if None in numbers else [number for number in numbers if number is not None]


def _number(text: str) -> Decimal | None:
    text = _FRACTIONS.get(text, text)
    above, slash, below = text.partition("/")
    try:
        return Decimal(above) / Decimal(below) if slash else Decimal(above)
    except (InvalidOperation, ZeroDivisionError):
        return None

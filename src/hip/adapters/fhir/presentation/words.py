"""FHIR values in words, as an app shows them; None for a value that has none. Tolerant of any JSON."""

import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any

Words = Callable[[Any], str | None]

# What moves the cursor or changes colours of a terminal never reaches it from inside a document.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(:\d{2})?(\.\d+)?(Z|[+-]\d{2}:\d{2})?")
# Characters. A narrative is a page or two; what is longer is no text for a person.
_LONGEST_NARRATIVE = 200_000
_PARAGRAPHS = frozenset({"p", "div", "li", "br", "tr", "table", "ul", "ol", "dt", "dd", "h1", "h2", "h3", "h4", "h5"})


def scalar(value: object) -> str | None:
    """Texts, numbers, dates. Times lose their seconds and keep their zone unless it is India's."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        return None
    moment = _MOMENT.fullmatch(value)
    if moment is not None:
        zone = moment[5]
        return f"{moment[1]} {moment[2]}" + ("" if zone in (None, "+05:30") else f" {zone}")
    return _CONTROLS.sub("", value).strip() or None


def coding(value: object) -> str | None:
    """The display; a code alone is nothing a patient could read."""
    return scalar(value.get("display")) if isinstance(value, Mapping) else None


def concept(value: object) -> str | None:
    """The text, else the displays of the codings."""
    if not isinstance(value, Mapping):
        return None
    return scalar(value.get("text")) or _joined(map(coding, _list(value.get("coding"))))


def name(value: object) -> str | None:
    """The text, else prefix, given and family names."""
    if not isinstance(value, Mapping):
        return None
    parts = (*_list(value.get("prefix")), *_list(value.get("given")), value.get("family"), *_list(value.get("suffix")))
    return scalar(value.get("text")) or _joined(map(scalar, parts), " ")


def quantity(value: object) -> str | None:
    """Comparator, value, and the unit as printed or else its code."""
    if not isinstance(value, Mapping):
        return None
    number = scalar(value.get("value"))
    if number is None:
        return None
    return _joined(
        (scalar(value.get("comparator")), number, scalar(value.get("unit")) or scalar(value.get("code"))), " "
    )


def interval(value: object) -> str | None:
    """A Range, or the reference range of a result."""
    if not isinstance(value, Mapping):
        return None
    told = scalar(value.get("text"))
    low, high = quantity(value.get("low")), quantity(value.get("high"))
    if low and high:
        return told or f"{low} to {high}"
    return told or (f"from {low}" if low else f"up to {high}" if high else None)


def period(value: object) -> str | None:
    """Start to end, either of which may be open."""
    if not isinstance(value, Mapping):
        return None
    start, end = scalar(value.get("start")), scalar(value.get("end"))
    if start and end:
        return start if start == end else f"{start} to {end}"
    return f"since {start}" if start else f"until {end}" if end else None


def ratio(value: object) -> str | None:
    """Numerator / denominator."""
    if not isinstance(value, Mapping):
        return None
    above, below = quantity(value.get("numerator")), quantity(value.get("denominator"))
    return f"{above} / {below}" if above and below else above


def money(value: object) -> str | None:
    """Amount and currency."""
    if not isinstance(value, Mapping):
        return None
    amount = scalar(value.get("value"))
    return None if amount is None else _joined((scalar(value.get("currency")), amount), " ")


def identifier(value: object) -> str | None:
    """The value and, when it has a name, what kind of number it is."""
    if not isinstance(value, Mapping):
        return None
    number, kind = scalar(value.get("value")), concept(value.get("type"))
    return f"{number} ({kind})" if number and kind else number


def contact(value: object) -> str | None:
    """A telephone number or address of mail."""
    return scalar(value.get("value")) if isinstance(value, Mapping) else None


def address(value: object) -> str | None:
    """The text, else its lines from street to country."""
    if not isinstance(value, Mapping):
        return None
    parts = (*_list(value.get("line")), *(value.get(part) for part in ("city", "district", "state", "postalCode")))
    return scalar(value.get("text")) or _joined(map(scalar, (*parts, value.get("country"))))


def annotation(value: object) -> str | None:
    """A note."""
    return scalar(value.get("text")) if isinstance(value, Mapping) else None


def timing(value: object) -> str | None:
    """The words of the timing's code, else how often in what time."""
    if not isinstance(value, Mapping):
        return None
    told = concept(value.get("code"))
    repeat = value.get("repeat")
    if told or not isinstance(repeat, Mapping):
        return told
    often, every, unit = scalar(repeat.get("frequency")), scalar(repeat.get("period")), scalar(repeat.get("periodUnit"))
    return f"{often or 1} times in {every} {unit}" if every and unit else None


def dosage(value: object) -> str | None:
    """The text, else amount, timing and route."""
    if not isinstance(value, Mapping):
        return None
    doses = [one for one in _list(value.get("doseAndRate")) if isinstance(one, Mapping)]
    amounts = [quantity(one.get("doseQuantity")) or interval(one.get("doseRange")) for one in doses]
    parts = (*amounts, timing(value.get("timing")), concept(value.get("route")))
    return scalar(value.get("text")) or scalar(value.get("patientInstruction")) or _joined(parts)


def attachment(value: object) -> str | None:
    """Title, MIME type and size, when there are bytes or an address; never the bytes."""
    if not isinstance(value, Mapping):
        return None
    data, url = value.get("data"), scalar(value.get("url"))
    if not isinstance(data, str) and url is None:
        return None
    size = f"{max(1, len(data) * 3 // 4096)} KB" if isinstance(data, str) else url
    return _joined((scalar(value.get("title")), scalar(value.get("contentType")), size))


def series(value: object) -> str | None:
    """SampledData: how many, for an app draws them."""
    data = value.get("data") if isinstance(value, Mapping) else None
    return f"{len(data.split())} measured values" if isinstance(data, str) and data.strip() else None


def narrative(value: object) -> tuple[str, ...]:
    """The paragraphs of a Narrative without its markup."""
    div = value.get("div") if isinstance(value, Mapping) else None
    if not isinstance(div, str):
        return ()
    reader = _Paragraphs()
    reader.feed(div[:_LONGEST_NARRATIVE])
    reader.close()
    lines = (scalar(" ".join(line.split())) for line in "".join(reader.parts).splitlines())
    return tuple(line for line in lines if line)


class _Paragraphs(HTMLParser):
    """Texts, with a line end wherever a block begins or ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data.replace("\n", " "))

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - HTMLParser calls it so
        self.parts.append("\n" if tag in _PARAGRAPHS else " " if tag in {"td", "th"} else "")

    def handle_endtag(self, tag: str) -> None:
        self.parts.append("\n" if tag in _PARAGRAPHS else "")


BY_TYPE: Mapping[str, Words] = {
    "Address": address,
    "Age": quantity,
    "Annotation": annotation,
    "Attachment": attachment,
    "CodeableConcept": concept,
    "Coding": coding,
    "ContactPoint": contact,
    "Count": quantity,
    "Distance": quantity,
    "Dosage": dosage,
    "Duration": quantity,
    "HumanName": name,
    "Identifier": identifier,
    "Money": money,
    "Period": period,
    "Quantity": quantity,
    "Range": interval,
    "Ratio": ratio,
    "SampledData": series,
    "Timing": timing,
}
"""How the values of a type are put in words; those of any other type are scalars."""


def spaced(name: str) -> str:
    """A FHIR name as a heading: ``medicationRequest`` → ``Medication request``."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: " " + match[1].lower(), name[:1].upper() + name[1:])


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(parts: Any, between: str = ", ") -> str | None:
    return between.join(part for part in parts if part) or None

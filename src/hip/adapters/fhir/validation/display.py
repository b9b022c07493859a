"""What a patient's app has nothing to show for: not an error, but what its users complain about."""

from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.findings import Finding
from hip.domain.bundles import Severity

Element = Mapping[str, Any]


def _concept(value: Element) -> str | None:
    if "text" in value:
        return None
    codings = value.get("coding")
    if isinstance(codings, list) and any(isinstance(one, dict) and "display" in one for one in codings):
        return None
    return "text, or coding.display"


def _name(value: Element) -> str | None:
    return None if "text" in value or "family" in value or "given" in value else "text"


def _attachment(value: Element) -> str | None:
    return None if "data" in value or "url" in value else "data, or url"


def _observation(value: Element) -> str | None:
    for key in value:
        if key.startswith("value") or key in {"component", "hasMember", "dataAbsentReason", "_valueString"}:
            return None
    return "value[x], component, hasMember or dataAbsentReason"


_SHOWN: Mapping[str, Callable[[Element], str | None]] = {
    "CodeableConcept": _concept,
    "HumanName": _name,
    "Attachment": _attachment,
    "Observation": _observation,
}


def display_gap(type_name: str) -> Callable[[Element], Finding | None] | None:
    """The question for elements of a type; None for types apps show nothing of."""
    lacking = _SHOWN.get(type_name)
    if lacking is None:
        return None

    def gap(value: Element) -> Finding | None:
        lack = lacking(value)
        if lack is None:
            return None
        return Finding(
            "shown-as-na",
            "",
            severity=Severity.WARNING,
            found="nothing that can be shown",
            expected=lack,
            message="patient apps will show NA here",
            fix=f"add {lack}",
        )

    return gap

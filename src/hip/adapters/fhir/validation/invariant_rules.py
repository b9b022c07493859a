"""Invariants written in Python, because FHIRPath on untyped JSON cannot say them or they are asked at every turn."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hip.adapters.fhir.validation.fhirpath.moments import compare
from hip.adapters.fhir.validation.narratives import narrative_fault
from hip.adapters.fhir.validation.session import Session

Rule = Callable[[Any, Session], bool]
"""True when the element breaks the invariant."""


def _extension(value: Any, _: Session) -> bool:
    """ext-1: an extension has extensions or a value, not both and not none."""
    has_value = any(key.startswith(("value", "_value")) for key in value)
    return bool(("extension" in value) == has_value)


def _local_reference(value: Any, session: Session) -> bool:
    """ref-1: ``#id`` names a contained resource; ``#`` alone names the one around it."""
    reference = value.get("reference")
    if type(reference) is not str or not reference.startswith("#"):
        return False
    return session.find(reference) is None


def _value_of_component(value: Any, _: Session) -> bool:
    """obs-7: what has a value has no component with its own code. By look-up, for both lists may be long."""
    components = value.get("component")
    if not isinstance(components, list) or not any(key.startswith(("value", "_value")) for key in value):
        return False
    own = set(_codings(value))
    return any(coding in own for component in components for coding in _codings(component))


def _codings(element: Any) -> Iterator[str]:
    code = element.get("code") if isinstance(element, dict) else None
    codings = code.get("coding") if isinstance(code, dict) else None
    for coding in codings if isinstance(codings, list) else ():
        yield json.dumps(coding, sort_keys=True)


def _unused_contained(value: Any, _: Session) -> bool:
    """dom-3: what is contained is referred to from the resource, or refers to it."""
    contained = value.get("contained")
    if not isinstance(contained, list):
        return False
    referred = set(_texts(value))
    for resource in contained:
        if isinstance(resource, Mapping) and f"#{resource.get('id')}" not in referred and "#" not in _texts(resource):
            return True
    return False


def _texts(value: Any) -> Iterator[str]:
    """Every text below that could be a reference."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if item.startswith("#"):
                yield item
        elif isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _forbidden_markup(value: Any, _: Session) -> bool:
    fault = narrative_fault(value) if isinstance(value, str) else None
    return fault is not None and fault[0] == "txt-1"


def _no_narrative(value: Any, _: Session) -> bool:
    fault = narrative_fault(value) if isinstance(value, str) else None
    return fault is not None and fault[0] == "txt-2"


def _reversed_period(value: Any, _: Session) -> bool:
    """per-1: start is not after end. Left open by different precision counts as broken; malformed dates do not."""
    start, end = value.get("start"), value.get("end")
    if not isinstance(start, str) or not isinstance(end, str):
        return False
    try:
        order = compare(start, end)
    except (ValueError, OverflowError):
        return False
    return order is None or order > 0


def _no_composition_text(value: Any, _: Session) -> bool:
    """dom-6, best practice: apps render entries themselves, so the narrative that counts is the Composition's."""
    if value.get("resourceType") != "Composition":
        return False
    text = value.get("text")
    return not isinstance(text, dict) or "div" not in text


RULES: Mapping[str, Rule] = {
    "ext-1": _extension,
    "ref-1": _local_reference,
    "obs-7": _value_of_component,
    "per-1": _reversed_period,
    "dom-6": _no_composition_text,
    "dom-3": _unused_contained,
    "txt-1": _forbidden_markup,
    "txt-2": _no_narrative,
}

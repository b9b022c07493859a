"""Checks of elements that are JSON objects: their members, what must be there, and their invariants."""

from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.addresses import system_check
from hip.adapters.fhir.validation.bindings import binding_check
from hip.adapters.fhir.validation.display import display_gap
from hip.adapters.fhir.validation.extensions import extension_check
from hip.adapters.fhir.validation.findings import Finding, hopeless, lone_id
from hip.adapters.fhir.validation.fixed_values import fixed_check
from hip.adapters.fhir.validation.members import Members, support_gap
from hip.adapters.fhir.validation.references import reference_check
from hip.adapters.fhir.validation.resources import resource_check
from hip.adapters.fhir.validation.rulebook import Check, Rulebook, Shape
from hip.adapters.fhir.validation.session import Session


def element_check(rulebook: Rulebook, shape: Shape) -> Check:
    """The check of one shape; the parts that do not apply cost nothing."""
    if shape.type in {"Resource", "DomainResource"}:
        return resource_check(rulebook)
    check = _object_check(rulebook, shape)
    definition = rulebook.definition(shape.type)
    if definition is not None and definition.kind == "resource" and not shape.is_root:
        check = resource_check(rulebook, only=shape.type, also=check)
    rules = (fixed_check(shape.node), _binding(rulebook, shape), system_check(shape.type))
    extra = [one for one in rules if one is not None]
    if shape.type == "Extension" and "children" not in shape.node and not shape.is_root:
        check = extension_check(rulebook, check, shape.profiles)
    if shape.type == "Reference":
        extra.append(reference_check(rulebook, shape.targets))
    return _together(check, *extra) if extra else check


def _binding(rulebook: Rulebook, shape: Shape) -> Check | None:
    binding = shape.node.get("binding")
    if binding is None:
        return None
    strength, url = binding
    check = binding_check(strength, url, rulebook.guide.value_sets.get(url), shape.type)
    return None if check is None else (lambda value, _: check(value))


def _together(*checks: Check) -> Check:
    if len(checks) == 2:
        first, second = checks

        def both(value: Any, session: Session) -> list[Finding] | None:
            found = first(value, session)
            more = second(value, session)
            if more is None:
                return found
            return more if found is None else found + more

        return both

    def all_of(value: Any, session: Session) -> list[Finding] | None:
        found = [one for check in checks for one in check(value, session) or ()]
        return found or None

    return all_of


def _object_check(rulebook: Rulebook, shape: Shape) -> Check:
    members = Members(rulebook, shape)
    required = members.required
    choices = members.required_choices
    invariants = shape.invariants
    # The id of a primitive value stands beside the value, not beneath it: siblings.py looks at both.
    is_primitive = rulebook.is_primitive(shape.type)
    gaps = [gap for gap in (support_gap(members), display_gap(shape.type)) if gap is not None]

    def check(value: Mapping[str, Any], session: Session) -> list[Finding] | None:
        found = members.absent(value) if choices or not required <= value.keys() else None
        if len(value) == 1 and "id" in value and not is_primitive:
            found = [*(found or ()), lone_id()]
        for invariant in invariants:
            if invariant.broken_by(value, session):
                found = [*(found or ()), invariant.finding(value)]
        for name, item in value.items():
            below = members[name](item, value, session)
            if below is not None:
                if found is None:
                    found = below
                else:
                    found.extend(below)
                    if hopeless(found):
                        break
        for gap in gaps:
            lack = gap(value)
            if lack is not None:
                found = [*(found or ()), lack]
        return found

    return check

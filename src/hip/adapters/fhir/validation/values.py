"""Checks of primitive values: type and form, fixed and pattern values, ranges, lengths, bindings, invariants."""

from typing import Any

from hip.adapters.fhir.validation.bindings import binding_check
from hip.adapters.fhir.validation.findings import Finding, empty, excerpt, wrong_type
from hip.adapters.fhir.validation.fixed_values import fixed_check
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.primitives import PRIMITIVES, Primitive
from hip.adapters.fhir.validation.rulebook import Check, Rulebook
from hip.adapters.fhir.validation.session import Session


def value_check(rulebook: Rulebook, node: Node, type_name: str) -> Check:
    """The check of a primitive value of this type at this node."""
    primitive = PRIMITIVES[type_name]
    legal = primitive.legal
    more = _rules(rulebook, node, type_name)
    if not more:

        def plain(value: Any, _: Session) -> list[Finding] | None:
            return None if legal(value) else _illegal(primitive, value)

        return plain

    def check(value: Any, session: Session) -> list[Finding] | None:
        if not legal(value):
            return _illegal(primitive, value)
        for rule in more:
            found = rule(value, session)
            if found is not None:
                return found
        return None

    return check


def _illegal(primitive: Primitive, value: Any) -> list[Finding]:
    if not primitive.has_type(value):
        return [wrong_type(value, primitive.json)]
    if value == "":
        return [empty("", "string")]
    return [
        Finding(
            "primitive-format",
            "",
            found=excerpt(value),
            expected=primitive.form,
            message=f"this is no legal {primitive.name}",
            fix=f"write {primitive.form}",
            profile="",
        )
    ]


def _rules(rulebook: Rulebook, node: Node, type_name: str) -> tuple[Check, ...]:
    rules: list[Check] = []
    fixed = fixed_check(node)
    if fixed is not None:
        rules.append(fixed)
    binding = node.get("binding")
    if binding is not None:
        bound = binding_check(binding[0], binding[1], rulebook.guide.value_sets.get(binding[1]), type_name)
        if bound is not None:
            rules.append(lambda value, _: bound(value))
    if "least" in node or "most" in node:
        rules.append(_range(node))
    if "length" in node:
        rules.append(_length(node["length"]))
    for invariant in rulebook.shape(node, type_name).invariants:

        def holds(value: Any, session: Session, invariant: Any = invariant) -> list[Finding] | None:
            return [invariant.finding(value)] if invariant.broken_by(value, session) else None

        rules.append(holds)
    return tuple(rules)


def _range(node: Node) -> Check:
    least, most = node.get("least"), node.get("most")

    def check(value: Any, _: Session) -> list[Finding] | None:
        if (least is None or value >= least) and (most is None or value <= most):
            return None
        return [
            Finding(
                "range",
                "",
                found=excerpt(value),
                expected=f"from {excerpt(least)} to {excerpt(most)}",
                message="the value is outside the allowed range",
                fix="correct the value",
            )
        ]

    return check


def _length(most: int) -> Check:
    def check(value: Any, _: Session) -> list[Finding] | None:
        if len(value) <= most:
            return None
        return [
            Finding(
                "length",
                "",
                found=f"{len(value)} characters",
                expected=f"at most {most} characters",
                message="the text is too long",
                fix="shorten it",
            )
        ]

    return check

"""The invariants of base R4 and of a guide: FHIRPath compiled once, and what each means in plain words."""

from typing import Any

from hip.adapters.fhir.validation.fhirpath.evaluation import Compiler
from hip.adapters.fhir.validation.fhirpath.shortcuts import shortcut
from hip.adapters.fhir.validation.fhirpath.syntax import UnreadableExpression, parse
from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.adapters.fhir.validation.guide import Guide
from hip.adapters.fhir.validation.invariant_rules import RULES, Rule
from hip.adapters.fhir.validation.invariant_words import WORDS
from hip.adapters.fhir.validation.session import Session
from hip.domain.bundles import Severity

_NOT_EVALUABLE = (TypeError, ValueError, KeyError, AttributeError, IndexError, ArithmeticError)

_SEVERITIES = {"error": Severity.ERROR, "warning": Severity.WARNING}


class Invariant:
    """One constraint: ``broken_by`` says whether an element breaks it."""

    __slots__ = ("_expression", "_of_base", "_severity", "broken_by", "key")

    def __init__(self, key: str, severity: Severity, expression: str, broken_by: Rule, *, of_base: bool) -> None:
        self._of_base = of_base
        self.key = key
        self._severity = severity
        self._expression = expression
        self.broken_by = broken_by

    def finding(self, item: Any) -> Finding:
        """What to say of an element that breaks it."""
        message, fix = WORDS.get(
            self.key, (f"the rule {self.key} does not hold", "change the element so that it holds")
        )
        return Finding(
            self.key,
            "",
            severity=self._severity,
            found=_told(item),
            expected=self._expression,
            message=message,
            fix=fix,
            profile="" if self._of_base else None,
        )


def _told(item: Any) -> str:
    """The element in a few words; names of members only, for their values may be personal."""
    if isinstance(item, dict):
        return f"{item.get('resourceType', 'an element')} with {', '.join(list(item)[:8])}"[:120]
    return excerpt(item)


def compiled_invariants(guide: Guide) -> tuple[Invariant, ...]:
    """One per number used in the nodes."""
    choices = frozenset(name[:-3] for node in guide.nodes for name in node.get("children", ()) if name.endswith("[x]"))
    types = frozenset(profile.type for profile in guide.profiles.values() if profile.kind != "resource")
    compiler = Compiler(choices, types)
    of_base = _numbers_of_base(guide)
    return tuple(
        _compiled(compiler, *facts, of_base=number in of_base) for number, facts in enumerate(guide.invariants)
    )


def _numbers_of_base(guide: Guide) -> set[int]:
    """The invariants that base R4 itself states, as against those a guide adds."""
    waiting = [profile.root for profile in guide.profiles.values() if profile.base is None]
    seen: set[int] = set()
    numbers: set[int] = set()
    while waiting:
        at = waiting.pop()
        if at not in seen:
            seen.add(at)
            node = guide.nodes[at]
            numbers.update(node.get("holds", ()))
            waiting.extend(node.get("children", {}).values())
    return numbers


def _compiled(compiler: Compiler, key: str, severity: str, expression: str, *, of_base: bool) -> Invariant:
    rule = RULES.get(key)
    if rule is None:
        try:
            rule = _evaluated(compiler, expression)
        except UnreadableExpression:
            # hip ig compile has named it; here it is said wherever it would have applied, and refuses nothing.
            return Invariant(
                key, Severity.WARNING, f"{expression} (not evaluated)", lambda _, __: True, of_base=of_base
            )
    return Invariant(key, _SEVERITIES.get(severity, Severity.WARNING), expression, rule, of_base=of_base)


def _evaluated(compiler: Compiler, expression: str) -> Rule:
    tree = parse(expression)
    condition = shortcut(tree, compiler) or compiler.condition(tree)

    def broken(item: Any, session: Session) -> bool:
        try:
            return not condition(item, session.surroundings)
        except _NOT_EVALUABLE:
            # The element is malformed, which is said elsewhere; what cannot be evaluated does not hold.
            return True

    return broken

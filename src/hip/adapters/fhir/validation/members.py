"""The members of an object: which names it may have, which it must have, and the check behind each name."""

from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.addresses import addressed
from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.properties import never, property_test
from hip.adapters.fhir.validation.rulebook import Rulebook, Shape, Test
from hip.adapters.fhir.validation.session import Session
from hip.adapters.fhir.validation.siblings import sibling_test
from hip.domain.bundles import Severity

_TEXT = ["text"]


class Members(dict[str, Test]):
    """Member name -> its test; tests are built when first asked for. Unknown names are never kept."""

    __slots__ = ("_choices", "_names", "_rulebook", "_shape", "required", "required_choices", "supported")

    def __init__(self, rulebook: Rulebook, shape: Shape) -> None:
        super().__init__()
        self._rulebook = rulebook
        self._shape = shape
        self._names: dict[str, tuple[int, str]] = {}
        self._choices: dict[str, frozenset[str]] = {}
        required: set[str] = set()
        required_choices: list[frozenset[str]] = []
        supported: set[str] = set()
        for name, number in shape.children.items():
            node = rulebook.node(number)
            types = rulebook.types_of(node)
            if rulebook.is_primitive(shape.type) and name == "value":
                continue
            if name.endswith("[x]"):
                written = {name[:-3] + type_name[0].upper() + type_name[1:]: type_name for type_name in types}
                self._names.update((key, (number, type_name)) for key, type_name in written.items())
                keys = frozenset(written) | {f"_{key}" for key in written}
                self._choices[name] = keys
                if node["min"] and node["max"]:
                    required_choices.append(keys)
                continue
            self._names[name] = (number, types[0] if types else "")
            if node["min"]:
                required.add(name)
            if node.get("support"):
                supported.add(name)
        self.required = frozenset(required)
        self.required_choices = tuple(required_choices)
        self.supported = frozenset(supported)
        definition = rulebook.definition(shape.type)
        if definition is not None and definition.kind == "resource":
            self["resourceType"] = _fine

    def __missing__(self, name: str) -> Test:
        known = self._names.get(name)
        if known is not None:
            test = self._property(name, *known)
        elif name.startswith("_") and name[1:] in self._names:
            number, type_name = self._names[name[1:]]
            if not self._rulebook.is_primitive(type_name):
                return never(self._unknown(name))
            test = sibling_test(self._rulebook, name, self._rulebook.node(number), type_name)
        else:
            return never(self._unknown(name))
        self[name] = test
        return test

    def _property(self, name: str, number: int, type_name: str) -> Test:
        test = addressed(name, self._shape.type, property_test(self._rulebook, name, number, type_name))
        others = next((keys for keys in self._choices.values() if name in keys), frozenset()) - {name, f"_{name}"}
        if not others:
            return test
        choice = next(choice for choice, keys in self._choices.items() if name in keys)

        def alone(value: Any, parent: Mapping[str, Any], session: Session) -> list[Finding] | None:
            found = test(value, parent, session)
            if others.isdisjoint(parent):
                return found
            twice = Finding(
                "choice-max",
                f".{name}",
                found=", ".join(sorted(key for key in parent if key == name or key in others)),
                expected=f"one form of {choice}",
                message=f"{choice} may be given once, in one type",
                fix="keep one of them",
            )
            return [twice, *(found or ())]

        return alone

    def _unknown(self, name: str) -> Finding:
        for choice in self._shape.children:
            if choice.endswith("[x]") and name.lstrip("_").startswith(choice[:-3]):
                suffix = name.lstrip("_")[len(choice) - 3 :]
                if self._rulebook.guide.of_type(suffix) or self._rulebook.guide.of_type(
                    suffix[:1].lower() + suffix[1:]
                ):
                    allowed = sorted(key for key in self._choices[choice] if not key.startswith("_"))
                    return Finding(
                        "type-not-allowed",
                        f".{name}",
                        found=name,
                        expected=f"{' or '.join(allowed[:8])}",
                        message=f"{choice} may not be written as {name} here",
                        fix="use one of the allowed types",
                    )
        return Finding(
            "unknown-element",
            f".{name}",
            found=excerpt(name),
            expected=f"an element of {self._shape.type or 'this type'}",
            message=f"{self._shape.type or 'this type'} has no element {name[:40]}",
            fix="remove it, or correct its name",
        )

    def node_of(self, name: str) -> Node:
        return self._rulebook.node(self._names[name][0])

    def absent(self, value: Mapping[str, Any]) -> list[Finding] | None:
        """The required members that are missing; one written only as ``_name``, its extensions, is there."""
        found = [
            _absent(f".{name}", name, f"at least {self.node_of(name)['min']}")
            for name in sorted(self.required - value.keys())
            if f"_{name}" not in value
        ]
        for keys in self.required_choices:
            if keys.isdisjoint(value):
                choice = next(name for name, written in self._choices.items() if written == keys)
                allowed = sorted(key for key in keys if not key.startswith("_"))
                # One allowed type is named as JSON writes it; for several only the element around them can be.
                path = f".{allowed[0]}" if len(allowed) == 1 else ""
                found.append(_absent(path, choice, " or ".join(allowed[:8])))
        return found or None


def _absent(path: str, name: str, expected: str) -> Finding:
    return Finding(
        "min",
        path,
        found="nothing",
        expected=expected,
        message=f"{name} is required and missing",
        fix=f"add {name}",
    )


def support_gap(members: Members) -> Callable[[Mapping[str, Any]], Finding | None] | None:
    """One warning an object for the mustSupport members it lacks; None when nothing is marked so."""
    supported = members.supported - members.required
    if not supported:
        return None

    def gap(value: Mapping[str, Any]) -> Finding | None:
        if supported <= value.keys():
            return None
        absent = sorted(name for name in supported - value.keys() if f"_{name}" not in value)
        if not absent or (absent == _TEXT and "coding" in value):
            # A concept whose coding has a display shows that when it has no text, so nobody misses anything.
            return None
        return Finding(
            "must-support",
            "",
            severity=Severity.WARNING,
            found="nothing",
            expected=", ".join(absent),
            message=f"the profile marks {', '.join(absent)} as mustSupport, and patient apps look for it",
            fix="fill it when the source knows it",
        )

    return gap


def _fine(_: Any, __: Mapping[str, Any], ___: Session) -> None:
    return None

"""Compile FHIRPath trees into Python functions, once; what they are asked about is JSON as it was read.

A collection is a list. An element of a primitive type that has only extensions stands as their object.
"""

from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.fhirpath.functions import FUNCTIONS
from hip.adapters.fhir.validation.fhirpath.operators import LOGIC, OPERATIONS, boolean, truth
from hip.adapters.fhir.validation.fhirpath.surroundings import Items, Query, Surroundings
from hip.adapters.fhir.validation.fhirpath.syntax import (
    Binary,
    Call,
    Index,
    Literal,
    Member,
    Tree,
    UnreadableExpression,
    Variable,
    parse,
)

Condition = Callable[[Any, Surroundings], bool]

_UCUM = "http://unitsofmeasure.org"


class Compiler:
    """Knows which element names are choices (``value[x]``), for JSON writes their type into the name."""

    def __init__(self, choices: frozenset[str], types: frozenset[str]) -> None:
        self._choices = choices
        self._suffixes = frozenset(name[0].upper() + name[1:] for name in types)

    def condition(self, tree: Tree) -> Condition:
        """Whether the expression holds for one element; empty counts as no. Raises UnreadableExpression."""
        query = self.query(tree)

        def holds(item: Any, around: Surroundings) -> bool:
            return truth(query([item], Surroundings(around.resource, around.root, around.resolve, item, item))) is True

        return holds

    def is_choice(self, name: str) -> bool:
        """Whether some type has an element ``name[x]``."""
        return name in self._choices

    def query(self, tree: Tree) -> Query:
        match tree:
            case Literal(value):
                items = [] if value is None else [value]
                return lambda _, __: items
            case Variable(name):
                return _variable(name)
            case Member(focus, name):
                return self._member(focus, name)
            case Index(focus, at):
                inner, position = self.query(focus), self.query(at)
                return lambda items, around: _at(inner(items, around), position(items, around))
            case Call(focus, name, arguments):
                return self._call(focus, name, arguments)
            case Binary(sign, left, right):
                return self._binary(sign, left, right)

    def _member(self, focus: Tree | None, name: str) -> Query:
        step = self._step(name)
        if focus is None:
            if name[0].isupper():
                # A leading type name stands for the focus itself: Appointment.status.
                return lambda items, _: [i for i in items if type(i) is dict and i.get("resourceType") == name]
            return lambda items, _: step(items)
        inner = self.query(focus)
        return lambda items, around: step(inner(items, around))

    def _step(self, name: str) -> Callable[[Items], Items]:
        shadow = f"_{name}"
        is_choice = name in self._choices

        def step(items: Items) -> Items:
            found: Items = []
            for item in items:
                if type(item) is not dict:
                    continue
                value = item.get(name)
                if value is None:
                    value = self.chosen(item, name) if is_choice else item.get(shadow)
                if type(value) is list:
                    found.extend(entry for entry in value if entry is not None)
                elif value is not None:
                    found.append(value)
            return found

        return step

    def chosen(self, item: Mapping[str, Any], name: str) -> Any:
        """The value of ``name[x]``, whichever type it was written with; of a bare ``name`` too."""
        for key, value in item.items():
            if name in key and value is not None:
                start = 1 if key[0] == "_" else 0
                suffix = key[start + len(name) :]
                if key.startswith(name, start) and (not suffix or suffix in self._suffixes):
                    return value
        return None

    def _call(self, focus: Tree | None, name: str, arguments: tuple[Tree, ...]) -> Query:
        inner: Query = (lambda items, _: items) if focus is None else self.query(focus)
        if name in {"is", "as", "ofType"}:
            wanted = _type_name(arguments[0])
            kept = name != "is"
            return lambda items, around: _typed(inner(items, around), wanted, filtering=kept)
        function = FUNCTIONS.get(name)
        if function is None:
            raise UnreadableExpression(f"{name}() is not known")
        queries = tuple(self.query(argument) for argument in arguments)
        return lambda items, around: function(inner(items, around), queries, around)

    def _binary(self, sign: str, left: Tree, right: Tree) -> Query:
        if sign in {"is", "as"}:
            wanted = _type_name(right)
            typed = self.query(left)
            return lambda items, around: _typed(typed(items, around), wanted, filtering=sign == "as")
        first, second = self.query(left), self.query(right)
        logic = LOGIC.get(sign)
        if logic is not None:
            return lambda items, around: boolean(logic(first, second, items, around))
        operation = OPERATIONS.get(sign)
        if operation is None:
            raise UnreadableExpression(f"{sign} is not known")
        return lambda items, around: operation(first(items, around), second(items, around))


def is_readable(expression: str) -> bool:
    """Whether an expression uses only what is known here."""
    try:
        Compiler(frozenset(), frozenset()).query(parse(expression))
    except UnreadableExpression:
        return False
    return True


def _variable(name: str) -> Query:
    match name:
        case "%resource":
            return lambda _, around: [around.resource]
        case "%rootResource":
            return lambda _, around: [around.root]
        case "%context":
            return lambda _, around: [around.context]
        case "$this":
            return lambda _, around: [around.this]
        case "%ucum":
            return lambda _, __: [_UCUM]
        case _:
            raise UnreadableExpression(f"{name} is not known")


def _type_name(tree: Tree) -> str:
    if isinstance(tree, Member):
        return tree.name
    raise UnreadableExpression("a type name is expected")


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "Boolean": (bool,),
    "decimal": (int, float),
    "integer": (int,),
}


def _typed(items: Items, wanted: str, *, filtering: bool) -> Items:
    """``is``, ``as`` and ``ofType``: JSON tells numbers, booleans, texts and resources apart, and no more."""
    of_type = [item for item in items if _is(item, wanted)]
    return of_type if filtering else boolean(len(of_type) == 1 if len(items) == 1 else None)


def _is(item: Any, wanted: str) -> bool:
    if type(item) is dict:
        return bool(item.get("resourceType", wanted) == wanted)
    return type(item) in _JSON_TYPES.get(wanted, (str,))


def _at(items: Items, position: Items) -> Items:
    return items[position[0] : position[0] + 1] if position else []

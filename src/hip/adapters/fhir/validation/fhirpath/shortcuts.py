"""Most invariants only ask what is there and what is not: such ones become plain look-ups, twenty times faster."""

from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.fhirpath.evaluation import Compiler
from hip.adapters.fhir.validation.fhirpath.surroundings import Query, Surroundings
from hip.adapters.fhir.validation.fhirpath.syntax import Binary, Call, Member, Tree

Element = Mapping[str, Any]
Test = Callable[[Element, Surroundings], bool]

# On an empty collection these give an empty collection, so when the first name is absent nothing more need be asked.
_PASSING = frozenset({"where", "select", "trace", "first", "last", "tail", "intersect", "ofType", "as"})


def shortcut(tree: Tree, compiler: Compiler) -> Test | None:
    """A test of two values for ``and``, ``or``, ``xor``, ``implies``, ``not()`` over ``exists()`` and ``empty()``."""
    match tree:
        case Binary("and", left, right):
            return _pair(left, right, compiler, lambda one, two: lambda e, a: one(e, a) and two(e, a))
        case Binary("or", left, right):
            return _pair(left, right, compiler, lambda one, two: lambda e, a: one(e, a) or two(e, a))
        case Binary("xor", left, right):
            return _pair(left, right, compiler, lambda one, two: lambda e, a: one(e, a) != two(e, a))
        case Binary("implies", left, right):
            return _pair(left, right, compiler, lambda one, two: lambda e, a: not one(e, a) or two(e, a))
        case Binary("=", Call(_, "exists", ()) as left, Call(_, "exists", ()) as right):
            return _pair(left, right, compiler, lambda one, two: lambda e, a: one(e, a) == two(e, a))
        case Binary("!=", Call(_, "exists", ()) as left, Call(_, "exists", ()) as right):
            return _pair(left, right, compiler, lambda one, two: lambda e, a: one(e, a) != two(e, a))
        case Call(Call(_, "exists" | "empty", ()) as asked, "not", ()):
            inner = shortcut(asked, compiler)
            return None if inner is None else (lambda e, a: not inner(e, a))
        case Call(chain, "exists", ()) if chain is not None:
            return _exists(chain, compiler)
        case Call(chain, "empty", ()) if chain is not None:
            there = _exists(chain, compiler)
            return None if there is None else (lambda e, a: not there(e, a))
        case _:
            return None


def _pair(left: Tree, right: Tree, compiler: Compiler, join: Callable[[Test, Test], Test]) -> Test | None:
    one, two = shortcut(left, compiler), shortcut(right, compiler)
    return None if one is None or two is None else join(one, two)


def _exists(chain: Tree, compiler: Compiler) -> Test | None:
    first = chain
    while isinstance(first, Member | Call) and first.focus is not None:
        if isinstance(first, Call) and first.name not in _PASSING:
            return None
        first = first.focus
    if not isinstance(first, Member) or first.name[0].isupper():
        return None
    present = _present(first.name, compiler)
    if first is chain:
        return present
    query = compiler.query(chain)
    return lambda element, around: present(element, around) and _any(query, element, around)


def _any(query: Query, element: Element, around: Surroundings) -> bool:
    return bool(query([element], around.about(element)))


def _present(name: str, compiler: Compiler) -> Test:
    shadow = f"_{name}"
    if compiler.is_choice(name):
        return lambda element, _: compiler.chosen(element, name) is not None
    return lambda element, _: name in element or shadow in element

"""What the signs of FHIRPath do with two collections. Booleans follow its three values, with None for "empty"."""

from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.fhirpath.moments import compare, is_moment
from hip.adapters.fhir.validation.fhirpath.surroundings import Items, Query, Surroundings


def truth(items: Items) -> bool | None:
    """The boolean a collection stands for: a single item that is no boolean counts as true."""
    if not items:
        return None
    return items[0] if type(items[0]) is bool and len(items) == 1 else True


def boolean(value: bool | None) -> Items:
    """The collection that stands for one of the three values."""
    return [] if value is None else [value]


def _and(first: Query, second: Query, items: Items, around: Surroundings) -> bool | None:
    left = truth(first(items, around))
    if left is False:
        return False
    right = truth(second(items, around))
    if right is False:
        return False
    return None if left is None or right is None else True


def _or(first: Query, second: Query, items: Items, around: Surroundings) -> bool | None:
    left = truth(first(items, around))
    if left is True:
        return True
    right = truth(second(items, around))
    if right is True:
        return True
    return None if left is None or right is None else False


def _xor(first: Query, second: Query, items: Items, around: Surroundings) -> bool | None:
    left, right = truth(first(items, around)), truth(second(items, around))
    return None if left is None or right is None else left is not right


def _implies(first: Query, second: Query, items: Items, around: Surroundings) -> bool | None:
    left = truth(first(items, around))
    if left is False:
        return True
    right = truth(second(items, around))
    if right is True or left is True:
        return right
    return None


LOGIC: Mapping[str, Callable[[Query, Query, Items, Surroundings], bool | None]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
}


def _equal(left: Items, right: Items) -> Items:
    if not left or not right:
        return []
    return [left == right and [type(i) is bool for i in left] == [type(i) is bool for i in right]]


def _unequal(left: Items, right: Items) -> Items:
    same = _equal(left, right)
    return [not same[0]] if same else []


def _ordered(accepts: Callable[[int], bool]) -> Callable[[Items, Items], Items]:
    def operation(left: Items, right: Items) -> Items:
        if not left or not right:
            return []
        order = _compare(left[0], right[0])
        return [] if order is None else [accepts(order)]

    return operation


def _compare(left: Any, right: Any) -> int | None:
    if type(left) is dict and type(right) is dict:
        # Quantities compare by value when they are in the same unit.
        if left.get("code", left.get("unit")) != right.get("code", right.get("unit")):
            return None
        left, right = left.get("value"), right.get("value")
    if is_moment(left) and is_moment(right):
        return compare(left, right)
    if type(left) is str and type(right) is str:
        return (left > right) - (left < right)
    if type(left) in (int, float) and type(right) in (int, float):
        return int(left > right) - int(left < right)
    return None


def _contained(left: Items, right: Items) -> Items:
    return [] if not left else [left[0] in right]


def _union(left: Items, right: Items) -> Items:
    united: Items = []
    for item in (*left, *right):
        if item not in united:
            united.append(item)
    return united


def _joined(left: Items, right: Items) -> Items:
    return ["".join(str(items[0]) for items in (left, right) if items)]


def _arithmetic(apply: Callable[[Any, Any], Any]) -> Callable[[Items, Items], Items]:
    def operation(left: Items, right: Items) -> Items:
        try:
            return [apply(left[0], right[0])] if left and right else []
        except (TypeError, ArithmeticError):
            return []

    return operation


OPERATIONS: Mapping[str, Callable[[Items, Items], Items]] = {
    "=": _equal,
    "!=": _unequal,
    "~": _equal,
    "!~": _unequal,
    "<": _ordered(lambda order: order < 0),
    ">": _ordered(lambda order: order > 0),
    "<=": _ordered(lambda order: order <= 0),
    ">=": _ordered(lambda order: order >= 0),
    "in": _contained,
    "contains": lambda left, right: _contained(right, left),
    "|": _union,
    "&": _joined,
    "+": _arithmetic(lambda left, right: left + right),
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "/": _arithmetic(lambda left, right: left / right),
}

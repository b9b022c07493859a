"""Sliced lists: which slice an item falls into, how often each slice may occur, and what is left over."""

from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.counts import list_fault
from hip.adapters.fhir.validation.discriminators import chooser
from hip.adapters.fhir.validation.findings import Finding, empty, hopeless, under, wrong_type
from hip.adapters.fhir.validation.guide import Node
from hip.adapters.fhir.validation.rulebook import Check, Rulebook, Test
from hip.adapters.fhir.validation.session import Session


class Slice:
    """One slice of a list."""

    __slots__ = ("check", "least", "most", "name")

    def __init__(self, name: str, node: Node, check: Check) -> None:
        self.name = name
        self.least: int = node["min"]
        self.most: int = node["max"]
        self.check = check


def sliced_test(rulebook: Rulebook, name: str, number: int, type_name: str) -> Test:
    """The test of a repeating element that node ``number`` slices.

    The position rule of openAtEnd is not enforced: the guide's own example breaks it, and the HL7 validator lets it.
    """
    node = rulebook.node(number)
    rules: str = node["slicing"]["rules"]
    ordered = "ordered" in node["slicing"]
    slices = tuple(Slice(one, rulebook.node(at), rulebook.check(at, type_name)) for one, at in node["slices"].items())
    choose = chooser(rulebook, node, type_name)
    otherwise = rulebook.check(number, type_name)
    told_by = " and ".join(path for _, path in node["slicing"]["by"])
    wanted = f"one of {', '.join(one.name for one in slices)}, told by {told_by}"

    def test(value: Any, _: Mapping[str, Any], session: Session) -> list[Finding] | None:
        faults = list_fault(name, node, value)
        if type(value) is not list:
            return faults
        found: list[Finding] = faults or []
        counts = [0] * len(slices)
        last = -1
        for position, item in enumerate(value):
            if hopeless(found):
                break
            if type(item) is not dict or not item:
                below = wrong_type(item, "a JSON object") if type(item) is not dict else empty("", "object")
                found.extend(under(f".{name}[{position}]", [below]))
                continue
            at = choose(item, session)
            if at < 0:
                if rules == "closed":
                    found.append(_left_over(f".{name}[{position}]", name, wanted))
                below_item = otherwise(item, session)
            else:
                counts[at] += 1
                if counts[at] == slices[at].most + 1 and slices[at].most >= 0:
                    found.append(_too_many(f".{name}[{position}]", name, slices[at]))
                if ordered and at < last:
                    found.append(_out_of_order(f".{name}[{position}]", name, slices[at]))
                last = max(last, at)
                below_item = slices[at].check(item, session)
            if below_item is not None:
                found.extend(under(f".{name}[{position}]", below_item))
        found.extend(
            _too_few(f".{name}", name, one, count)
            for one, count in zip(slices, counts, strict=True)
            if count < one.least
        )
        return found or None

    return test


def _left_over(path: str, name: str, wanted: str) -> Finding:
    return Finding(
        "slice-closed",
        path,
        found="an item of no slice",
        expected=wanted,
        message=f"this item of {name} fits none of the kinds that are allowed here",
        fix="give it the value that makes it one of them, or remove it",
    )


def _too_many(path: str, name: str, one: Slice) -> Finding:
    return Finding(
        "slice-max",
        path,
        found=f"{one.most + 1} or more",
        expected=f"at most {one.most}",
        message=f"{name} may hold {one.name} at most {one.most} times",
        fix="join the repeats into one",
    )


def _too_few(path: str, name: str, one: Slice, count: int) -> Finding:
    return Finding(
        "slice-min",
        path,
        found=str(count),
        expected=f"at least {one.least}",
        message=f"{name} must hold {one.name}",
        fix=f"add an item of {name} that is {one.name}",
    )


def _out_of_order(path: str, name: str, one: Slice) -> Finding:
    return Finding(
        "slice-order",
        path,
        found=one.name,
        expected="the order of the profile",
        message=f"the items of {name} are not in the order the profile gives",
        fix="put them in that order",
    )

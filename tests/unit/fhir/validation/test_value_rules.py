"""Every value of the corpus, bent in one way at a time: wrong JSON type, illegal text, foreign code, wrong target."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.fhir.validation.placements import Placement, changed, first_of_each_rule

from hip.adapters.fhir.validation.validator import NrcesValidator

Tree = dict[str, Any]

ILLEGAL: dict[str, Any] = {
    "code": " bad  code ",
    "id": "bad id!",
    "uri": "has space in it",
    "url": "has space in it",
    "canonical": "has space in it",
    "date": "01-05-2024",
    "dateTime": "2024-02-30T10:00:00+05:30",
    "instant": "2024-05-01T10:00:00",
    "time": "25:00:00",
    "string": " \t",
    "markdown": "a\x00b",
    "base64Binary": "no base64!",
    "boolean": "true",
    "decimal": "12.5",
    "integer": 2**31,
    "unsignedInt": -1,
    "positiveInt": 0,
}


@pytest.fixture(scope="module")
def rules(validator: NrcesValidator, bases: dict[str, Tree]) -> list[tuple[Tree, Placement]]:
    return first_of_each_rule(validator, copy.deepcopy(bases))


def type_of(one: Placement) -> str:
    """The type a value was written with; the last letters of a choice's name say it."""
    types = [entry[0] for entry in one.node.get("types", ())]
    return types[0] if len(types) == 1 else ""


def reported(validator: NrcesValidator, bundle: Tree, one: Placement, value: Any) -> Iterator[tuple[str, str]]:
    with changed(one.holder, one.name, value):
        yield from ((issue.rule, issue.path) for issue in validator.validate(bundle).errors)


def test_an_illegal_text_is_reported_where_it_stands(
    validator: NrcesValidator, rules: list[tuple[Tree, Placement]]
) -> None:
    tried = set()
    for bundle, one in rules:
        illegal = ILLEGAL.get(type_of(one))
        if illegal is None or isinstance(one.holder[one.name], list):
            continue
        tried.add(type_of(one))
        found = set(reported(validator, bundle, one, illegal))
        assert found & {("primitive-format", one.path), ("json-type", one.path)}, f"{one.rule} at {one.path}: {found}"
    assert tried >= {"code", "id", "uri", "date", "dateTime", "instant", "string", "boolean", "decimal"}


def test_an_object_in_place_of_a_value_is_reported_where_it_stands(
    validator: NrcesValidator, rules: list[tuple[Tree, Placement]]
) -> None:
    tried = 0
    for bundle, one in rules:
        value = one.holder[one.name]
        if isinstance(value, dict | list) or one.name == "resourceType":
            continue
        tried += 1
        assert ("json-type", one.path) in set(reported(validator, bundle, one, {"value": value})), one.path
    assert tried > 300


def test_a_list_and_a_single_value_are_not_the_same(
    validator: NrcesValidator, rules: list[tuple[Tree, Placement]]
) -> None:
    for bundle, one in rules:
        value = one.holder[one.name]
        if one.name == "entry" and bundle["entry"] is value:
            continue
        bent = value[0] if isinstance(value, list) else [value]
        found = {path for rule, path in reported(validator, bundle, one, bent) if rule == "json-type"}
        assert one.path in found, f"{one.rule} at {one.path}: {found}"


@pytest.mark.parametrize(("nothing", "rule"), [([], "empty-array"), ({}, "empty-object"), ("", "empty-string")])
def test_empty_values_are_reported(
    validator: NrcesValidator, rules: list[tuple[Tree, Placement]], nothing: Any, rule: str
) -> None:
    tried = 0
    for bundle, one in rules:
        if type(one.holder[one.name]) is type(nothing) and one.path != "Bundle.entry":
            tried += 1
            assert (rule, one.path) in set(reported(validator, bundle, one, nothing)), one.path
    assert tried > 50


def test_null_is_no_value(validator: NrcesValidator, rules: list[tuple[Tree, Placement]]) -> None:
    for bundle, one in rules:
        if one.path != "Bundle.entry":
            assert ("json-type", one.path) in set(reported(validator, bundle, one, None)), one.path


def test_a_name_that_does_not_exist_is_reported(validator: NrcesValidator, rules: list[tuple[Tree, Placement]]) -> None:
    for bundle, one in rules:
        one.holder["nonsense"] = "x"
        found = {issue.path for issue in validator.validate(bundle).errors if issue.rule == "unknown-element"}
        del one.holder["nonsense"]
        assert f"{one.path.rpartition('.')[0]}.nonsense" in found, one.path


def test_a_code_outside_a_required_value_set_is_reported(
    validator: NrcesValidator, rules: list[tuple[Tree, Placement]]
) -> None:
    tried = 0
    for bundle, one in rules:
        strength, url = one.node.get("binding", ("", ""))
        if strength != "required" or validator.guide.value_sets.get(url) is None or "fixed" in one.node:
            continue
        value = one.holder[one.name]
        bent: Any = "not-a-code"
        if isinstance(value, dict):
            bent = {"coding": [{"system": "http://example.org", "code": "not-a-code"}]}
        if isinstance(value, list):
            bent = [bent]
        tried += 1
        found = {path for rule, path in reported(validator, bundle, one, bent) if rule == "binding-required"}
        assert any(path.startswith(one.path) for path in found), f"{one.rule} at {one.path}: {found}"
    assert tried > 40


def test_a_reference_to_a_resource_of_another_type_is_reported(
    validator: NrcesValidator, rules: list[tuple[Tree, Placement]]
) -> None:
    tried = 0
    for bundle, one in rules:
        if type_of(one) != "Reference" or len(one.node["types"][0]) < 3:
            continue
        allowed = {validator.guide.profiles[url].type for url in one.node["types"][0][2]}
        targets = [entry["fullUrl"] for entry in bundle["entry"] if entry["resource"]["resourceType"] not in allowed]
        if "Resource" in allowed or not targets:
            continue
        value = copy.deepcopy(one.holder[one.name])
        bent = value[0] if isinstance(value, list) else value
        bent.pop("type", None)
        bent["reference"] = targets[0]
        tried += 1
        found = {path for rule, path in reported(validator, bundle, one, value) if rule == "reference-target-type"}
        where = f"{one.path}[0]" if isinstance(value, list) else one.path
        if "slices" not in one.node or one.node["slicing"]["rules"] != "closed":
            assert where in found, f"{one.rule} at {one.path}: {found}"
    assert tried > 60

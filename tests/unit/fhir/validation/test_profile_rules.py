"""Every required element and every fixed value of every profile in use matters; which ones, the definitions say."""

import re
from typing import Any

from tests.unit.fhir.validation.placements import changed, first_of_each_rule, removed

from hip.adapters.fhir.validation.validator import NrcesValidator

Tree = dict[str, Any]


def beside(path: str) -> set[str]:
    """Where a fault at ``path`` may be reported: there, or at what holds it."""
    holder = re.sub(r"\.[^.]+$", "", path)
    return {path, holder, re.sub(r"\[\d+\]$", "", holder)}


def test_a_bundle_without_a_required_element_is_invalid(validator: NrcesValidator, bases: dict[str, Tree]) -> None:
    tried = 0
    for bundle, one in first_of_each_rule(validator, bases):
        if not one.node["min"]:
            continue
        with removed(one.holder, one.name):
            report = validator.validate(bundle)
        tried += 1
        if one.loose:
            continue
        assert not report.valid, f"{one.profile} {one.rule}: removing {one.path} went unnoticed"
        places = {issue.path for issue in report.errors}
        assert places & beside(one.path), f"{one.rule}: removed {one.path}, reported {sorted(places)[:4]}"
    assert tried > 400


def test_a_bundle_with_a_changed_fixed_value_is_invalid(validator: NrcesValidator, bases: dict[str, Tree]) -> None:
    tried = 0
    for bundle, one in first_of_each_rule(validator, bases):
        if not isinstance(one.node.get("fixed"), str) or not isinstance(one.holder[one.name], str) or one.loose:
            continue
        with changed(one.holder, one.name, one.holder[one.name] + "-changed"):
            report = validator.validate(bundle)
        tried += 1
        assert not report.valid, f"{one.profile} {one.rule}: changing {one.path} went unnoticed"
        assert {issue.path for issue in report.errors} & beside(one.path), f"{one.rule} at {one.path}"
    assert tried > 60


def test_what_tells_open_slices_apart_may_be_another_value(validator: NrcesValidator, bases: dict[str, Tree]) -> None:
    """With another code a section is simply no section of that kind: the definitions then ask nothing more of it."""
    tried = 0
    for bundle, one in first_of_each_rule(validator, bases):
        if one.loose and isinstance(one.holder[one.name], str):
            tried += 1
            with changed(one.holder, one.name, "urn:another"):
                assert validator.validate(bundle).valid, one.rule
    assert tried > 20


def test_a_bundle_stays_valid_when_its_resources_claim_no_profile(
    validator: NrcesValidator, bases: dict[str, Tree]
) -> None:
    for name, bundle in bases.items():
        for entry in bundle["entry"]:
            meta = entry["resource"].get("meta", {})
            if "profile" in meta:
                with changed(meta, "profile", ["http://example.org/StructureDefinition/mine"]):
                    assert validator.validate(bundle).valid, name


def test_one_item_too_many_is_noticed_for_every_limited_list(validator: NrcesValidator, bases: dict[str, Tree]) -> None:
    tried = 0
    for bundle, one in first_of_each_rule(validator, bases):
        value = one.holder[one.name]
        if not isinstance(value, list) or one.node["max"] < 1 or one.loose:
            continue
        with changed(one.holder, one.name, [value[0]] * (one.node["max"] + 1)):
            report = validator.validate(bundle)
        tried += 1
        assert one.path in {issue.path for issue in report.errors if issue.rule == "max"}, f"{one.rule} at {one.path}"
    assert tried > 12

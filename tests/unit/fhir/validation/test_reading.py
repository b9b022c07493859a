"""Content that is no document: one clear issue each, never a traceback, whatever comes in."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.fhir.validation.documents import document

from hip.adapters.fhir.validation.findings import MOST_FINDINGS, Finding, hopeless
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.domain.bundles import Severity

VALID = json.dumps(document()).encode()


def rules(validator: NrcesValidator, content: bytes | str) -> list[str]:
    return [issue.rule for issue in validator.validate(content).errors]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        pytest.param(b"", "json-syntax", id="nothing"),
        pytest.param(b"{", "json-syntax", id="cut off"),
        pytest.param(b"<Bundle/>", "json-syntax", id="XML"),
        pytest.param(b"[]", "json-syntax", id="a list"),
        pytest.param(b"null", "json-syntax", id="null"),
        pytest.param(b'"Bundle"', "json-syntax", id="a string"),
        pytest.param(b"{}", "json-syntax", id="an object of no type"),
        pytest.param(b'{"resourceType": ["Bundle"]}', "json-syntax", id="a list for a type"),
        pytest.param(b'{"resourceType": "Patient"}', "resource-type", id="another resource"),
        pytest.param(b'{"resourceType": "Bundel"}', "resource-type", id="no resource"),
        pytest.param(b'{"resourceType": "Bundle", "total": NaN}', "json-syntax", id="NaN"),
        pytest.param(b'{"resourceType": "Bundle", "total": -Infinity}', "json-syntax", id="Infinity"),
        pytest.param(b'{"resourceType": "Bundle", "total": ' + b"9" * 5000 + b"}", "json-syntax", id="5,000 digits"),
        pytest.param(b'{"resourceType": "Bundle", "type": "\xff\xfe"}', "json-syntax", id="no UTF-8"),
        pytest.param(VALID.decode().encode("utf-16"), "json-syntax", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + VALID, "json-syntax", id="a byte order mark"),
        pytest.param(b'{"resourceType": "Bundle", "type": "\\ud800"}', "json-syntax", id="half a surrogate pair"),
        pytest.param(b'{"resourceType": "Bundle", "\\uDC00": 1}', "json-syntax", id="half a pair in a name"),
        pytest.param(b'{"\\ud800": 1, "\\ud800": 2}', "json-syntax", id="half a pair twice"),
        pytest.param(VALID + VALID, "json-syntax", id="two documents"),
        pytest.param(b'{"resourceType": "Bundle", "type": "document", "type": "x"}', "json-duplicate-key", id="twice"),
        pytest.param(b'{"resourceType": "Bundle", "entry": ' + b"[" * 10_000, "json-depth", id="10,000 lists, cut off"),
        pytest.param(
            b'{"resourceType": "Bundle", "a": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
            "json-depth",
            id="10,000 deep",
        ),
        pytest.param(
            b'{"resourceType": "Bundle", "a": ' + b"[" * 200 + b"]" * 200 + b"}", "json-depth", id="200 lists deep"
        ),
    ],
)
def test_what_is_no_document_gets_one_clear_issue(validator: NrcesValidator, content: bytes, rule: str) -> None:
    report = validator.validate(content)
    assert [issue.rule for issue in report.issues] == [rule]
    assert report.issues[0].path == "Bundle"
    assert report.issues[0].fix
    assert not report.valid


@pytest.mark.parametrize("place", ["value", "name", "narrative"])
def test_half_a_surrogate_pair_in_a_tree_is_reported_in_words_that_can_be_printed(
    validator: NrcesValidator, place: str
) -> None:
    tree = json.loads(VALID)
    composition = tree["entry"][0]["resource"]
    if place == "value":
        composition["title"] = "\ud800"
    elif place == "name":
        composition["\ud800"] = 1
    else:
        composition["text"] = {"status": "generated", "div": "<div>\udfff</div>"}
    report = validator.validate(tree)
    assert not report.valid
    assert all((one.path + one.found + one.message + one.expected).encode() for one in report.issues)
    assert [one.rule for one in validator.validate(json.dumps(tree, ensure_ascii=False)).issues] == ["json-syntax"]


def test_looking_ends_when_a_list_is_hopeless_but_warnings_never_end_it() -> None:
    error = Finding("min", "", message="m", expected="e", fix="f")
    warning = Finding("must-support", "", message="m", expected="e", fix="f", severity=Severity.WARNING)
    assert not hopeless([error] * (MOST_FINDINGS - 1))
    assert any(hopeless([error] * count) for count in range(MOST_FINDINGS, MOST_FINDINGS + 64))
    assert not any(hopeless([warning] * count) for count in range(MOST_FINDINGS, MOST_FINDINGS + 200))


def test_an_error_behind_any_number_of_warnings_is_found(validator: NrcesValidator) -> None:
    tree = document({"resourceType": "Patient", "name": [{"use": "old"}] * (MOST_FINDINGS + 100) + [{"text": ""}]})
    assert not validator.validate(tree).valid


def test_a_whole_pair_is_a_character(validator: NrcesValidator) -> None:
    tree = json.loads(VALID)
    tree["entry"][0]["resource"]["title"] = "😀 \\ud800"
    assert validator.validate(json.dumps(tree)).valid


def test_a_document_over_the_limit_is_not_read(validator: NrcesValidator) -> None:
    assert rules(NrcesValidator(max_bytes=len(VALID)), VALID) == []
    report = NrcesValidator(max_bytes=len(VALID) - 1).validate(VALID)
    assert [issue.rule for issue in report.issues] == ["document-size"]
    assert str(len(VALID)) in report.issues[0].found
    assert rules(validator, b" " * 100_000_000) == ["document-size"]


def test_bytes_text_and_a_tree_give_the_same_report(validator: NrcesValidator) -> None:
    bent = json.dumps({**document(), "type": "searchset"})
    assert validator.validate(bent) == validator.validate(bent.encode()) == validator.validate(json.loads(bent))


def test_a_key_given_twice_deep_inside_is_found(validator: NrcesValidator) -> None:
    twice = VALID.replace(b'"title": "Note"', b'"title": "Note", "title": "Other"')
    report = validator.validate(twice)
    assert [issue.rule for issue in report.issues] == ["json-duplicate-key"]
    assert "title" in report.issues[0].found


def test_not_a_number_in_a_tree_is_no_decimal(validator: NrcesValidator) -> None:
    tree = document({"resourceType": "Observation", "status": "final", "code": {"text": "x"}})
    tree["entry"][1]["resource"]["valueQuantity"] = {"value": float("nan")}
    report = validator.validate(tree)
    assert [issue.path for issue in report.errors] == ["Bundle.entry[1].resource.valueQuantity.value"]


def test_the_issues_of_a_hopeless_document_are_bounded(validator: NrcesValidator) -> None:
    report = validator.validate({**document(), "link": [{"relation": ""}] * 20_000})
    assert 1_000 < len(report.issues) <= 5_000


names = st.sampled_from(
    ["resourceType", "meta", "profile", "extension", "contained", "reference", "coding", "value", "_value", "url", "id"]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def positions(tree: Any) -> list[tuple[Any, Any]]:
    """Every place in a tree that can be given another value."""
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def bent_bundle_never_raises(validator: NrcesValidator, tree: dict[str, Any], data: st.DataObject) -> None:
    holder, key = data.draw(st.sampled_from(positions(tree)))
    holder[key] = data.draw(json_values)
    for issue in validator.validate(tree).issues:
        assert issue.path.startswith("Bundle")
        assert issue.message


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_value_anywhere_makes_the_validator_fail(data: st.DataObject) -> None:
    tree = document(
        {
            "resourceType": "Patient",
            "id": "p",
            "contained": [{"resourceType": "Organization", "id": "o", "name": "x"}],
            "managingOrganization": {"reference": "#o"},
            "name": [{"text": "Asha", "period": {"start": "2024", "end": "2025"}}],
            "_birthDate": {"extension": [{"url": "http://example.org", "valuePeriod": {"start": "2020"}}]},
            "text": {"status": "generated", "div": "<div/>"},
        }
    )
    bent_bundle_never_raises(NrcesValidator(), tree, data)


ODD: list[Any] = [None, True, 0, -1.5, "", " ", "x", "#", [], {}, [None], [[]], [{}], {"x": 1}, {"reference": 1}]


def every_place_takes_every_odd_value(validator: NrcesValidator, tree: dict[str, Any]) -> None:
    for holder, key in positions(tree):
        kept = holder[key]
        for value in ODD:
            holder[key] = value
            for issue in validator.validate(tree).issues:
                assert issue.path.startswith("Bundle")
        holder[key] = kept


def test_every_place_of_a_document_takes_every_odd_value(validator: NrcesValidator) -> None:
    period = {"start": "2024-01-01", "end": "2024-02-01"}
    tree = document(
        {
            "resourceType": "Patient",
            "id": "p",
            "meta": {"profile": ["http://example.org/x"], "security": [{"code": "R"}]},
            "text": {"status": "generated", "div": "<div/>"},
            "contained": [{"resourceType": "Organization", "id": "o", "telecom": [{"system": "email", "value": "x"}]}],
            "extension": [{"url": "http://example.org", "extension": [{"url": "a", "valuePeriod": period}]}],
            "name": [{"given": ["A", None], "_given": [None, {"extension": [{"url": "http://x", "valueCode": "y"}]}]}],
            "managingOrganization": {"reference": "#o", "type": "Organization"},
        },
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "1"}]},
            "component": [{"code": {"coding": [{"code": "2"}]}, "valueRange": {"low": {"value": 1}}}],
            "effectiveTiming": {"repeat": {"when": ["MORN"], "offset": 1}},
            "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 2}},
        },
    )
    composition = tree["entry"][0]["resource"]
    composition |= {"text": {"status": "generated", "div": "<div/>"}, "custodian": {"display": "x"}}
    every_place_takes_every_odd_value(validator, tree)


@pytest.mark.soak
def test_every_place_of_every_small_bundle_takes_every_odd_value(
    validator: NrcesValidator, bases: dict[str, dict[str, Any]]
) -> None:
    for tree in (bundle for name, bundle in bases.items() if name.startswith("min-")):
        every_place_takes_every_odd_value(validator, json.loads(json.dumps(tree)))


@pytest.mark.soak
@settings(max_examples=5_000, deadline=None)
@given(data=st.data())
def test_no_value_anywhere_in_a_full_bundle_makes_the_validator_fail(
    bases: dict[str, dict[str, Any]], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(bases)))
    bent_bundle_never_raises(NrcesValidator(), json.loads(json.dumps(bases[name])), data)


@settings(max_examples=50, deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | json_values.map(json.dumps).map(str.encode)
)
def test_no_content_makes_the_validator_fail(content: bytes) -> None:
    assert not NrcesValidator().validate(content).valid

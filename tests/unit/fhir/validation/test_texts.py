"""The smallest parts: primitive forms, base64, narratives, moments, FHIRPath."""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hip.adapters.fhir.validation.base64_text import is_base64
from hip.adapters.fhir.validation.fhirpath.evaluation import Compiler
from hip.adapters.fhir.validation.fhirpath.moments import compare
from hip.adapters.fhir.validation.fhirpath.shortcuts import shortcut
from hip.adapters.fhir.validation.fhirpath.surroundings import Surroundings
from hip.adapters.fhir.validation.fhirpath.syntax import UnreadableExpression, parse
from hip.adapters.fhir.validation.narratives import narrative_fault
from hip.adapters.fhir.validation.primitives import PRIMITIVES
from hip.adapters.fhir.validation.validator import NrcesValidator

XHTML = "http://www.w3.org/1999/xhtml"

LEGAL: dict[str, list[Any]] = {
    "boolean": [True, False],
    "integer": [0, -(2**31), 2**31 - 1],
    "unsignedInt": [0],
    "positiveInt": [1],
    "decimal": [1, 1.5, -0.1, 1e-7],
    "string": ["a", " a ", "आशा", "a\tb\nc"],
    "code": ["a", "a b", "8480-6"],
    "id": ["a", "A-1.b", "x" * 64],
    "uri": ["http://x", "urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "urn:oid:1.2.3", "x", "urn:ietf:rfc:3986"],
    "canonical": ["http://x|1.0", "urn:oid:1.2.3", "#inside"],
    "oid": ["urn:oid:2.16.840"],
    "uuid": ["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    "date": ["2024", "2024-02", "2024-02-29"],
    "dateTime": ["2024", "2024-02", "2024-02-29", "2024-02-29T23:59:60Z", "2024-05-01T10:00:00.1234+14:00"],
    "instant": ["2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000-05:00"],
    "time": ["10:00:00", "23:59:59.9"],
    "base64Binary": ["AAAA", "AA==", "AA\n=="],
}
ILLEGAL: dict[str, list[Any]] = {
    "boolean": ["true", 1, 0],
    "integer": [1.0, "1", True, 2**31, -(2**31) - 1],
    "unsignedInt": [-1, True],
    "positiveInt": [0],
    "decimal": ["1", True, float("inf"), float("nan")],
    "string": ["", " ", 1, "a\x00", "x" * (1024 * 1024 + 1), "\ud800"],
    "code": ["", " a", "a ", "a  b", "\udc00"],
    "id": ["", "x" * 65, "a_b", "a b", "आ"],
    "uri": ["", "a b", "urn:uuid:X", "urn:uuid:C757873D-EC9A-4326-A141-556F43239520", "urn:oid:3.1", "oid:1.2"],
    "canonical": ["", "PlanDefinition/1", "a b", "OPConsultRecord"],
    "oid": ["1.2", "urn:oid:01.2"],
    "uuid": ["c757873d-ec9a-4326-a141-556f43239520"],
    "date": ["2023-02-29", "2024-13", "24", "2024-1-1", "0000", "2024-04-31", "2024-05-01T10:00:00Z"],
    "dateTime": ["2024-05-01T10:00:00", "2024-05-01T10:00+05:30", "2024-05-01T24:00:00Z", "2024-02-30", "٢٠٢٤"],
    "instant": ["2024", "2024-05-01", "2024-05-01T10:00Z", "2024-05-01T10:00:00+15:00"],
    "time": ["10:00", "24:00:00", "10:00:00Z"],
    "base64Binary": ["", "A", "AAA", "====", "A===", "AA=A", "AA-_", "@@@@"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in LEGAL.items() for value in values])
def test_legal_primitive_values(name: str, value: Any) -> None:
    assert PRIMITIVES[name].legal(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in ILLEGAL.items() for value in values],
    ids=lambda value: ascii(value)[:40],
)
def test_illegal_primitive_values(name: str, value: Any) -> None:
    assert not PRIMITIVES[name].legal(value)


def test_every_primitive_type_of_the_guide_has_a_rule(validator: NrcesValidator) -> None:
    named = {one.type for one in validator.guide.profiles.values() if one.kind == "primitive-type"}
    assert named == set(PRIMITIVES)


@given(st.binary(min_size=1, max_size=400), st.integers(1, 80))
@settings(max_examples=50)
def test_whatever_base64_writes_is_base64_also_in_lines(content: bytes, width: int) -> None:
    text = base64.b64encode(content).decode()
    assert is_base64(text)
    assert is_base64("\n".join(text[start : start + width] for start in range(0, len(text), width)))
    assert not is_base64(text[:-1])
    assert not is_base64("!" + text[1:])


def test_long_base64_is_checked_to_its_end() -> None:
    text = "A" * 400_000
    assert is_base64(text)
    assert not is_base64(text[:-1] + "!")
    assert not is_base64(text + "AA")


@pytest.mark.parametrize(
    "inner",
    [
        "text",
        "<p>a</p>",
        '<table border="1"><tr><td>1</td></tr></table>',
        '<img src="#x"/>',
        "&amp; &nbsp; &#2309; &copy; x",
        "&nbsp;",
        '<a href="https://x">x</a>',
        "<b>आशा</b>",
    ],
)
def test_plain_xhtml_is_a_narrative(inner: str) -> None:
    assert narrative_fault(f'<div xmlns="{XHTML}">{inner}</div>') is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("text", "txt-1"),
        ("<div>x</div>", "txt-1"),
        (f'<p xmlns="{XHTML}">x</p>', "txt-1"),
        (f'<div xmlns="{XHTML}">x', "txt-1"),
        (f'<div xmlns="{XHTML}"><script>x</script></div>', "txt-1"),
        (f'<div xmlns="{XHTML}" onclick="x()">x</div>', "txt-1"),
        (f'<div xmlns="{XHTML}"><a href="javascript:x()">x</a></div>', "txt-1"),
        (f'<div xmlns="{XHTML}"><iframe src="x"/></div>', "txt-1"),
        (f'<div xmlns="{XHTML}">&unknown;</div>', "txt-1"),
        (f'<!DOCTYPE div [<!ENTITY a "aaaa">]><div xmlns="{XHTML}">&a;</div>', "txt-1"),
        (f'<div xmlns="{XHTML}"> <p> </p></div>', "txt-2"),
    ],
)
def test_anything_else_is_none(text: str, key: str) -> None:
    fault = narrative_fault(text)
    assert fault is not None
    assert fault[0] == key


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("2024", "2025", -1),
        ("2024", "2024", 0),
        ("2024", "2024-05", None),
        ("2024-05-02", "2024-05-01", 1),
        ("2024-05-01T10:00:00+05:30", "2024-05-01T04:30:00Z", 0),
        ("2024-05-01T10:00:00+05:30", "2024-05-01T10:00:00Z", -1),
        ("2024-05-01T10:00:00.5Z", "2024-05-01T10:00:00Z", 1),
        ("2024-05-01", "2024-05-01T10:00:00Z", None),
        ("2024-04-30", "2024-05-01T10:00:00Z", -1),
    ],
)
def test_moments_are_compared_as_far_as_both_are_written(left: str, right: str, order: int | None) -> None:
    assert compare(left, right) == order


FOCUS: dict[str, Any] = {
    "resourceType": "Thing",
    "status": "done",
    "valueQuantity": {"value": 3, "unit": "mg"},
    "item": [{"code": "a", "n": 1}, {"code": "b", "n": 2}],
    "_note": {"extension": [{"url": "x"}]},
    "start": "2024-01-01",
    "end": "2024-02-01",
}
HOLDS = [
    "status = 'done'",
    "status != 'open'",
    "value.exists() and other.empty()",
    "value.value > 2 and value.value <= 3",
    "item.count() = 2",
    "item.where(code = 'a').n = 1",
    "item.all(n > 0)",
    "item.exists(code = 'b')",
    "item.select(code).isDistinct()",
    "item.first().code = 'a' and item.last().code = 'b' and item.tail().count() = 1 and item[1].n = 2",
    "status in ('done' | 'open')",
    "('done' | 'open') contains status",
    "item.code.intersect(item.code).count() = 2",
    "start <= end",
    "start < end implies status.exists()",
    "status.empty() implies false",
    "status.exists() xor other.exists()",
    "(status = 'open').not()",
    "status.startsWith('do') and status.endsWith('ne') and status.contains('on') and status.matches('^d.*e$')",
    "status.substring(2) = 'ne' and status.length() = 4",
    "status.replaceMatches('d', 'D') = 'Done'",
    "iif(status = 'done', true, false)",
    "note.exists() and note.hasValue().not() and status.hasValue()",
    "(status & 'x') = 'donex'",
    "%resource.status = 'done' and %rootResource.status = 'done' and %context.status = 'done'",
    "item.code.combine(item.code).count() = 4",
    "descendants().where($this = 'b').exists() and children().count() > 5",
    "item.n.first() + 1 = 2 and 2 * 3 = 6 and 6 / 2 = 3 and 3 - 1 = 2",
    "'12'.toInteger() = 12 and item.n.first().toString() = '1'",
    "item.n.first() is integer and (status is boolean).not()",
    "Thing.status = 'done' and Other.status.empty()",
    "`status`.exists() and {}.empty()",
]
FAILS = [
    "status = 'open'",
    "missing = 'x'",
    "status = 'done' and missing = 'x'",
    "item.all(n > 1)",
    "other.exists()",
    "value.empty()",
    "start > end",
    "start <= missing",
    "status.exists() implies missing = 'x'",
    "missing = 'x' implies false",
    "status.empty() or item.empty()",
]


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(frozenset({"value"}), frozenset({"Quantity", "string"}))


@pytest.mark.parametrize(("expression", "outcome"), [*((one, True) for one in HOLDS), *((one, False) for one in FAILS)])
def test_fhirpath_gives_what_the_specification_says(compiler: Compiler, expression: str, outcome: bool) -> None:
    around = Surroundings(FOCUS, FOCUS, lambda reference: None)
    assert compiler.condition(parse(expression))(FOCUS, around) is outcome


def test_shortcuts_agree_with_full_evaluation_on_every_invariant(validator: NrcesValidator) -> None:
    """Each invariant that has a shortcut, on every combination of two members being there or not."""
    compiler = Compiler(frozenset({"value", "age", "born", "abatement"}), frozenset({"string"}))
    tried = 0
    for _, _, expression in validator.guide.invariants:
        try:
            tree = parse(expression)
            quick, full = shortcut(tree, compiler), compiler.condition(tree)
        except UnreadableExpression:
            continue
        if quick is None:
            continue
        words = {word for word in expression.replace("(", " ").replace(".", " ").split() if word.isalpha()}
        for one in words:
            for other in words:
                focus = {one: "x", other: [{"code": "x"}], f"_{other}": {"id": "x"}}
                around = Surroundings(focus, focus, lambda reference: None)
                assert quick(focus, around) == full(focus, around), (expression, focus)
                tried += 1
    assert tried > 1_000


@pytest.mark.parametrize("text", ["", "a.", "a and", "a(", "(a", "a b", "a[1", "'open", "a ? b", "{", "%", "a.1"])
def test_what_is_no_fhirpath_is_refused(text: str) -> None:
    with pytest.raises(UnreadableExpression):
        parse(text)

"""A document bundle as the page a patient's app shows. Pure: JSON and issues in, values out; never raises."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hip.adapters.fhir.presentation import words
from hip.adapters.fhir.presentation.layouts import COMPOSITION, LAYOUTS, NAMED_BY, OTHER, PARTIES, Field
from hip.adapters.fhir.presentation.pages import Item, Page, Row, Section
from hip.adapters.fhir.presentation.references import Entries, Held, Resource
from hip.adapters.fhir.validation.display import display_gap
from hip.domain.bundles import Issue

GAP_RULE = "shown-as-na"
"""The validator's rule for what apps show as "NA"."""

# Reports hold panels that hold results; deeper than this only a circle goes.
_DEEPEST = 6
_SOMETHING = "something that can be shown"
_CHOICES = (
    "CodeableConcept",
    "Quantity",
    "Range",
    "Period",
    "Ratio",
    "Money",
    "Age",
    "Duration",
    "Timing",
    "SampledData",
)
_LAST_NAME = re.compile(r"([A-Za-z]+)(\[\d+\])?$")


def present(bundle: Mapping[str, Any], issues: Sequence[Issue] = ()) -> Page:
    """The page of a document. ``issues`` are the validator's: each of its gaps is a row here, whether or not an app
    would show that element by itself.
    """
    return _Renderer(bundle, issues).page()


class _Renderer:
    """One document on its way to a page: which entries are placed already, which gaps are still to be shown."""

    def __init__(self, bundle: Mapping[str, Any], issues: Sequence[Issue]) -> None:
        self._entries = Entries(bundle)
        self._placed: set[int] = set()
        self._gaps = {issue.path: issue.expected for issue in issues if issue.rule == GAP_RULE}

    def page(self) -> Page:
        first = next(iter(self._entries.all), None)
        if first is None or first.resource.get("resourceType") != "Composition":
            return Page(title="Document without a Composition", rows=(), parties=(), sections=(), unplaced=self._rest())
        composition, path, number = first
        self._placed.add(number)
        rows = [row for each in COMPOSITION for row in self._rows(each, composition, path)]
        parties = [self._item(held, 0) for held in self._parties(composition)]
        sections = tuple(self._section(*one, 0) for one in _children(composition, "section", path))
        rows += self._left_below(path)
        unplaced = self._rest()
        return Page(
            title=words.scalar(composition.get("title")) or "Document without a title",
            rows=(*rows, *self._left_below("Bundle")),
            parties=tuple(parties),
            sections=sections,
            unplaced=unplaced,
        )

    def _parties(self, composition: Resource) -> Iterator[Held]:
        for name in PARTIES:
            for reference, _ in _values(composition, name, ""):
                held = self._entries.target(reference)
                if held is not None and held.number not in self._placed:
                    self._placed.add(held.number)
                    yield held

    def _rest(self) -> tuple[Item, ...]:
        rest = [held for held in self._entries.all if held.number not in self._placed]
        self._placed.update(held.number for held in rest)
        return tuple(self._item(held, _DEEPEST) for held in rest)

    def _section(self, section: Resource, path: str, depth: int) -> Section:
        rows: list[Row] = []
        items: list[Item] = []
        for reference, where in _values(section, "entry", path):
            self._refer(Field("", "entry", "Item"), reference, where, 0, rows, items)
        below = [self._section(*one, depth + 1) for one in _children(section, "section", path) if depth < _DEEPEST]
        narrative = words.narrative(section.get("text"))
        if not (rows or items or below or narrative):
            empty = words.concept(section.get("emptyReason"))
            rows.append(Row(label="Content", words=empty, path=path, expected="entries, or a narrative"))
        return Section(
            title=words.scalar(section.get("title")) or words.concept(section.get("code")) or "Section without a title",
            path=path,
            narrative=() if items or below else narrative,
            rows=(*rows, *self._left_below(path)),
            items=tuple(items),
            sections=tuple(below),
        )

    def _item(self, held: Held, depth: int) -> Item:
        rows: list[Row] = []
        items: list[Item] = []
        kind = words.scalar(held.resource.get("resourceType")) or "Resource"
        for each in LAYOUTS.get(kind, OTHER):
            if each.type == "Item":
                for reference, path in _values(held.resource, each.path, held.path):
                    self._refer(each, reference, path, depth, rows, items)
            else:
                rows += self._rows(each, held.resource, held.path)
        rows += self._observed(kind, held)
        rows += self._priced(kind, held)
        return Item(kind=kind, path=held.path, rows=(*rows, *self._left_below(held.path)), items=tuple(items))

    def _refer(self, each: Field, reference: object, path: str, depth: int, rows: list[Row], items: list[Item]) -> None:
        """The target below this one, when it stands nowhere yet; its name otherwise."""
        held = self._entries.target(reference)
        if held is None or held.number in self._placed or depth >= _DEEPEST:
            label = each.label or (words.spaced(str(held.resource.get("resourceType"))) if held else "Entry")
            told = self._reference(reference)
            told = f"{told} (shown elsewhere)" if told and held else told
            rows.append(self._row(label, told, path, "Reference"))
            return
        self._placed.add(held.number)
        items.append(self._item(held, depth + 1))

    def _rows(self, each: Field, resource: Resource, path: str) -> Iterator[Row]:
        for value, where, type_name in _typed(each, resource, path):
            told = (
                self._reference(value)
                if type_name == "Reference"
                else words.BY_TYPE.get(type_name, words.scalar)(value)
            )
            yield self._row(each.label, told, where, type_name, value)

    def _row(self, label: str, told: str | None, path: str, type_name: str, value: object = None) -> Row:
        """A gap when there are no words, or when the validator's own question says so."""
        expected = self._gaps.pop(path, None)
        asks = display_gap(type_name)
        lack = asks(value) if asks is not None and isinstance(value, Mapping) else None
        if lack is not None:
            expected = expected or lack.expected
        if told is None or expected is not None:
            return Row(label=label, words=None, path=path, expected=expected or _expected(type_name))
        return Row(label=label, words=told, path=path)

    def _reference(self, reference: object) -> str | None:
        if not isinstance(reference, Mapping):
            return None
        shown = words.scalar(reference.get("display"))
        held = None if shown else self._entries.target(reference)
        return shown if held is None else _name_of(held.resource)

    def _observed(self, kind: str, held: Held) -> Iterator[Row]:
        """The components of an observation, and "Value: NA" for one without any value."""
        if kind != "Observation":
            return
        asks = display_gap("Observation")
        lack = None if asks is None else asks(held.resource)
        if lack is not None:
            expected = self._gaps.pop(held.path, None) or lack.expected
            yield Row(label="Value", words=None, path=held.path, expected=expected)
        for component, path in _children(held.resource, "component", held.path):
            code = words.concept(component.get("code"))
            yield from self._unnamed(component, path, "Component")
            values = [*_typed(Field("", "value[x]"), component, path)]
            told = [
                self._row(code or "Component", words.BY_TYPE.get(t, words.scalar)(v), p, t, v) for v, p, t in values
            ]
            absent = words.concept(component.get("dataAbsentReason"))
            yield from told or [Row(label=code or "Component", words=absent, path=path, expected="value[x]")]

    def _priced(self, kind: str, held: Held) -> Iterator[Row]:
        """The price components of an invoice's lines."""
        if kind != "Invoice":
            return
        for number, (line, path) in enumerate(_children(held.resource, "lineItem", held.path), 1):
            for price, where in _children(line, "priceComponent", path):
                yield from self._unnamed(price, where, f"Line {number}: price")
                label = words.concept(price.get("code")) or words.scalar(price.get("type")) or "price"
                told = words.money(price.get("amount")) or words.scalar(price.get("factor"))
                yield Row(label=f"Line {number}: {label}", words=told, path=where, expected="amount")

    def _unnamed(self, part: Resource, path: str, label: str) -> Iterator[Row]:
        """The gap of a part whose code, which names it, has no words."""
        code = part.get("code")
        if code is not None and words.concept(code) is None:
            yield self._row(label, None, f"{path}.code", "CodeableConcept", code)

    def _left_below(self, path: str) -> tuple[Row, ...]:
        """Gaps of the validator's at or below ``path`` that no row shows yet."""
        left = [one for one in self._gaps if one == path or one.startswith(path + ".")]
        return tuple(Row(label=_label_of(one), words=None, path=one, expected=self._gaps.pop(one)) for one in left)


def _name_of(resource: Resource) -> str | None:
    for each in NAMED_BY:
        for value, _, type_name in _typed(each, resource, ""):
            told = words.BY_TYPE.get(type_name, words.scalar)(value)
            if told:
                return told
    return None


def _typed(each: Field, resource: Resource, path: str) -> Iterator[tuple[object, str, str]]:
    """The values of a field with their paths and FHIR types."""
    if not each.path.endswith("[x]"):
        for value, where in _values(resource, each.path, path):
            yield value, where, each.type
        return
    *parents, choice = each.path.removesuffix("[x]").split(".")
    for parent, where in _values(resource, ".".join(parents), path):
        if not isinstance(parent, Mapping):
            continue
        for name in parent:
            suffix = name.removeprefix(choice)
            if name.startswith(choice) and suffix[:1].isupper():
                yield parent[name], f"{where}.{name}", suffix if suffix in _CHOICES else ""


def _values(resource: object, path: str, where: str) -> Iterator[tuple[object, str]]:
    """Everything at a dotted path, through lists, each with its FHIRPath."""
    name, _, rest = path.partition(".")
    if not name:
        yield resource, where
        return
    value = resource.get(name) if isinstance(resource, Mapping) else None
    if isinstance(value, list):
        for number, one in enumerate(value):
            yield from _values(one, rest, f"{where}.{name}[{number}]")
    elif value is not None:
        yield from _values(value, rest, f"{where}.{name}")


def _children(resource: Resource, name: str, where: str) -> Iterable[tuple[Resource, str]]:
    return [(one, path) for one, path in _values(resource, name, where) if isinstance(one, Mapping)]


def _expected(type_name: str) -> str:
    return "display, or a target with a name" if type_name == "Reference" else _SOMETHING


def _label_of(path: str) -> str:
    match = _LAST_NAME.search(path)
    return words.spaced(match[1]) if match else "Element"

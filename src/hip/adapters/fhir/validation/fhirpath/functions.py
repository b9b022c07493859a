"""The FHIRPath functions invariants call: each takes the items before the dot, its arguments and what is around."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from hip.adapters.fhir.validation.fhirpath.surroundings import Items, Query, Surroundings

Function = Callable[[Items, tuple[Query, ...], Surroundings], Items]


def _true(query: Query, item: Any, around: Surroundings) -> bool:
    answer = query([item], around.about(item))
    return bool(answer) and answer[0] is not False


def _exists(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    if arguments:
        return [any(_true(arguments[0], item, around) for item in items)]
    return [bool(items)]


def _where(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    return [item for item in items if _true(arguments[0], item, around)]


def _all(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    return [all(_true(arguments[0], item, around) for item in items)]


def _select(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    return [found for item in items for found in arguments[0]([item], around.about(item))]


def _iif(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    answer = arguments[0](items, around)
    if answer and answer[0] is not False:
        return arguments[1](items, around)
    return arguments[2](items, around) if len(arguments) > 2 else []


def _not(items: Items, _: tuple[Query, ...], __: Surroundings) -> Items:
    return [items[0] is False] if items else []


def _has_value(items: Items, _: tuple[Query, ...], __: Surroundings) -> Items:
    return [len(items) == 1 and not isinstance(items[0], dict | list)]


def _distinct(items: Items) -> Items:
    if all(isinstance(item, str) for item in items):
        return list(dict.fromkeys(items))
    seen: Items = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen


def _other(query: Query, around: Surroundings) -> Items:
    """A second collection is asked of what the whole expression is about, not of what stands before the dot."""
    return query([] if around.this is None else [around.this], around)


def _combine(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    return [*items, *_other(arguments[0], around)]


def _intersect(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    other = _other(arguments[0], around)
    return [item for item in _distinct(items) if item in other]


def descendants(items: Items) -> Iterator[Any]:
    """Every element below, depth first."""
    for item in items:
        if isinstance(item, dict):
            children = [child for value in item.values() for child in (value if isinstance(value, list) else [value])]
            for child in children:
                if child is not None:
                    yield child
                    yield from descendants([child])


def _children(items: Items) -> Items:
    return [
        child
        for item in items
        if isinstance(item, dict)
        for value in item.values()
        for child in (value if isinstance(value, list) else [value])
        if child is not None
    ]


def _text_of(items: Items) -> str | None:
    return items[0] if len(items) == 1 and isinstance(items[0], str) else None


def _about_text(answer: Callable[[str, str], Any]) -> Function:
    """A function of the text before the dot and one text argument; empty when either is missing."""

    def function(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
        text, argument = _text_of(items), _text_of(arguments[0](items, around))
        return [] if text is None or argument is None else [answer(text, argument)]

    return function


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


def _substring(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    text = _text_of(items)
    start = arguments[0](items, around)
    return [] if text is None or not start or start[0] >= len(text) else [text[start[0] :]]


def _replace_matches(items: Items, arguments: tuple[Query, ...], around: Surroundings) -> Items:
    text = _text_of(items)
    pattern, replacement = (_text_of(argument(items, around)) for argument in arguments)
    if text is None or pattern is None or replacement is None:
        return []
    return [_pattern(pattern).sub(replacement, text)]


def _to_integer(items: Items, _: tuple[Query, ...], __: Surroundings) -> Items:
    try:
        return [int(items[0])] if items else []
    except (TypeError, ValueError):
        return []


def _to_string(items: Items, _: tuple[Query, ...], __: Surroundings) -> Items:
    return [str(items[0])] if items and not isinstance(items[0], dict) else []


def _resolve(items: Items, _: tuple[Query, ...], around: Surroundings) -> Items:
    references = (item.get("reference") if isinstance(item, Mapping) else item for item in items)
    found = (around.resolve(reference) for reference in references if isinstance(reference, str))
    return [resource for resource in found if resource is not None]


FUNCTIONS: Mapping[str, Function] = {
    "exists": _exists,
    "empty": lambda items, _, __: [not items],
    "where": _where,
    "all": _all,
    "select": _select,
    "iif": _iif,
    "not": _not,
    "hasValue": _has_value,
    "count": lambda items, _, __: [len(items)],
    "first": lambda items, _, __: items[:1],
    "last": lambda items, _, __: items[-1:],
    "tail": lambda items, _, __: items[1:],
    "isDistinct": lambda items, _, __: [len(_distinct(items)) == len(items)],
    "distinct": lambda items, _, __: _distinct(items),
    "combine": _combine,
    "intersect": _intersect,
    "children": lambda items, _, __: _children(items),
    "descendants": lambda items, _, __: list(descendants(items)),
    "trace": lambda items, _, __: items,
    "contains": _about_text(lambda text, part: part in text),
    "startsWith": _about_text(lambda text, part: text.startswith(part)),
    "endsWith": _about_text(lambda text, part: text.endswith(part)),
    "matches": _about_text(lambda text, pattern: _pattern(pattern).search(text) is not None),
    "substring": _substring,
    "replaceMatches": _replace_matches,
    "length": lambda items, _, __: [len(items[0])] if _text_of(items) is not None else [],
    "toInteger": _to_integer,
    "toString": _to_string,
    "resolve": _resolve,
}

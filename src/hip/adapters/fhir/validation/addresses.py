"""Names that others rely on: systems and extension URLs are absolute, contained resources have ids of their own."""

import re
from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.adapters.fhir.validation.rulebook import Check, Test
from hip.adapters.fhir.validation.session import Session

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_WITH_SYSTEM = frozenset({"Coding", "Identifier"})
_EXTENSIONS = frozenset({"extension", "modifierExtension"})


def system_check(type_name: str) -> Check | None:
    """A Coding's or Identifier's system names its namespace to everybody (R4 datatypes); None for other types."""
    if type_name not in _WITH_SYSTEM:
        return None

    def check(value: Mapping[str, Any], _: Session) -> list[Finding] | None:
        system = value.get("system")
        if type(system) is not str or not system or _ABSOLUTE.match(system):
            return None
        return [_relative(".system", system, "a system")]

    return check


def addressed(name: str, type_name: str, test: Test) -> Test:
    """The test of the member ``name`` of a ``type_name``, joined with what its items must be called."""
    # Within an extension the URLs of its parts are relative to it (R4 extensibility).
    if name in _EXTENSIONS and type_name != "Extension":
        return _joined(name, test, _relative_urls)
    if name == "contained":
        return _joined(name, test, _unfit_ids)
    return test


def _joined(name: str, test: Test, more: Any) -> Test:
    def both(value: Any, parent: Mapping[str, Any], session: Session) -> list[Finding] | None:
        found = test(value, parent, session)
        faults: list[Finding] = more(name, value) if type(value) is list else []
        if not faults:
            return found
        return faults + (found or [])

    return both


def _relative_urls(name: str, items: list[Any]) -> list[Finding]:
    return [
        _relative(f".{name}[{number}].url", url, "an extension's URL")
        for number, item in enumerate(items)
        if isinstance(item, dict) and isinstance(url := item.get("url"), str) and url and not _ABSOLUTE.match(url)
    ]


def _unfit_ids(name: str, items: list[Any]) -> list[Finding]:
    """R4 references: a contained resource is referred to by its id, which no other of the same resource has."""
    found: list[Finding] = []
    seen: set[str] = set()
    for number, item in enumerate(items):
        key = item.get("id") if isinstance(item, dict) else ""
        if key is None or (isinstance(key, str) and key in seen):
            found.append(
                Finding(
                    "contained-id",
                    f".{name}[{number}]" + ("" if key is None else ".id"),
                    found="nothing" if key is None else excerpt(key),
                    expected="an id that no other contained resource of this one has",
                    message="a contained resource can only be referred to by its id",
                    fix="add an id" if key is None else "give one of them another id",
                    profile="",
                )
            )
        elif isinstance(key, str) and key:
            seen.add(key)
    return found


def _relative(path: str, url: str, what: str) -> Finding:
    return Finding(
        "relative-url",
        path,
        found=excerpt(url),
        expected="an absolute URL, such as http://snomed.info/sct or urn:oid:…",
        message=f"{what} is absolute, so that it means the same everywhere",
        fix="write the whole URL",
        profile="",
    )

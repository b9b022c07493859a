"""Required and extensible bindings: whether a code, coding or concept is in its value set."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from hip.adapters.fhir.validation.currencies import CURRENCIES
from hip.adapters.fhir.validation.findings import Finding, excerpt
from hip.domain.bundles import Severity

Codes = Mapping[str, frozenset[str]]
BindingCheck = Callable[[Any], list[Finding] | None]

# RFC 6838 names with parameters as in RFC 2045; the registry itself changes daily.
_MIME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+\-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+\-]{0,126}"
    r"""(?:\s*;\s*[A-Za-z0-9!#$%&'*+\-.^_`|~]+=(?:"[^"]*"|[A-Za-z0-9!#$%&'*+\-.^_`|~/:]+))*"""
)
_MOST_LISTED = 12

_CODED = frozenset({"code", "string", "uri", "Coding", "CodeableConcept", "Quantity"})


def binding_check(strength: str, url: str, codes: Codes | str | None, type_name: str) -> BindingCheck | None:
    """None when the binding cannot be checked offline, or says nothing about values of this type."""
    if codes is None or type_name not in _CODED:
        return None
    if isinstance(codes, str):
        return _by_rule(codes, url) if type_name in {"code", "string"} else None
    severity = Severity.ERROR if strength == "required" else Severity.WARNING
    wanted = _listed(codes, url)
    match type_name:
        case "CodeableConcept":
            return _concept(codes, severity, url, wanted)
        case "Coding" | "Quantity":
            return _coding(codes, severity, url, wanted)
        case _ if strength == "required":
            return _code(frozenset().union(*codes.values()), severity, url, wanted)
        case _:
            return None


def _by_rule(rule: str, url: str) -> BindingCheck:
    if rule == "currency":
        return _code(CURRENCIES, Severity.ERROR, url, "a currency code of ISO 4217, such as INR")

    def check(value: Any) -> list[Finding] | None:
        if type(value) is not str or _MIME.fullmatch(value):
            return None
        return [_outside(Severity.ERROR, url, "", excerpt(value), "a MIME type such as application/pdf")]

    return check


def _code(codes: frozenset[str], severity: Severity, url: str, wanted: str) -> BindingCheck:
    def check(value: Any) -> list[Finding] | None:
        if value in codes:
            return None
        return [_outside(severity, url, "", excerpt(value), wanted)]

    return check


def _holds(codes: Codes, coding: object) -> bool:
    if not isinstance(coding, dict):
        return False
    system, code = coding.get("system"), coding.get("code")
    return isinstance(system, str) and isinstance(code, str) and code in codes.get(system, ())


def _named(coding: object) -> str:
    if not isinstance(coding, dict):
        return excerpt(coding)
    return f"{coding.get('system', 'no system')}|{coding.get('code', 'no code')}"[:120]


def _coding(codes: Codes, severity: Severity, url: str, wanted: str) -> BindingCheck:
    def check(value: Any) -> list[Finding] | None:
        if _holds(codes, value) or (severity is Severity.WARNING and "code" not in value):
            return None
        return [_outside(severity, url, "", _named(value), wanted)]

    return check


def _concept(codes: Codes, severity: Severity, url: str, wanted: str) -> BindingCheck:
    def check(value: Any) -> list[Finding] | None:
        codings = value.get("coding")
        if not isinstance(codings, list):
            if severity is Severity.WARNING or "extension" in value:
                return None
            return [_outside(severity, url, "", "no coding", wanted)]
        if any(_holds(codes, coding) for coding in codings):
            return None
        path = ".coding[0].code" if len(codings) == 1 and severity is Severity.WARNING else ""
        return [_outside(severity, url, path, ", ".join(_named(coding) for coding in codings[:3]), wanted)]

    return check


def _outside(severity: Severity, url: str, path: str, found: str, wanted: str) -> Finding:
    required = severity is Severity.ERROR
    return Finding(
        "binding-required" if required else "binding-extensible",
        path,
        severity=severity,
        found=found,
        expected=wanted,
        message=f"the code is not in the value set {url}",
        fix="use one of its codes"
        if required
        else "use one of its codes if one fits; another code is allowed only if not",
    )


def _listed(codes: Codes, url: str) -> str:
    """The value set in words: its codes when they are few."""
    if sum(map(len, codes.values())) > _MOST_LISTED:
        return f"a code of {url}"
    if len(codes) == 1:
        return f"one of {', '.join(sorted(next(iter(codes.values()))))}"
    return "one of " + ", ".join(f"{system}|{code}" for system in codes for code in sorted(codes[system]))

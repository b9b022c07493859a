"""What a check reports while the path of the thing it looks at is not yet known, and the words for JSON values.

Checks are written so that a faultless value costs nothing: they return None, and only what is wrong climbs up and
gets its path on the way.
"""

import json
from collections.abc import Iterable

from hip.domain.bundles import Issue, Severity

_LONGEST_EXCERPT = 60

# A document broken throughout has a fault a value; nobody reads more than these.
MOST_FINDINGS = 5_000

_JSON_NAMES = {dict: "a JSON object", list: "a JSON array", str: "a JSON string", bool: "true or false"}


class Finding:
    """One fault below the value a check was given. ``path`` grows from the right: ``.coding[0].system``."""

    __slots__ = ("expected", "fix", "found", "message", "path", "profile", "rule", "severity")

    def __init__(
        self,
        rule: str,
        path: str,
        *,
        message: str,
        expected: str,
        fix: str,
        found: str = "",
        severity: Severity = Severity.ERROR,
        profile: str | None = None,
    ) -> None:
        self.rule = rule
        self.path = path
        self.message = message
        self.expected = expected
        self.fix = fix
        self.found = found
        self.severity = severity
        self.profile = profile

    def issue(self) -> Issue:
        return Issue(
            severity=self.severity,
            rule=self.rule,
            profile=self.profile or "",
            path=_sayable(self.path),
            found=_sayable(self.found),
            expected=_sayable(self.expected),
            message=_sayable(self.message),
            fix=_sayable(self.fix),
        )


def _sayable(text: str) -> str:
    """The text as UTF-8 can hold it: what quotes a document may quote half a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def under(prefix: str, findings: list[Finding]) -> list[Finding]:
    """The same findings, seen from one level up."""
    for finding in findings:
        finding.path = prefix + finding.path
    return findings


def hopeless(findings: list[Finding]) -> bool:
    """Whether there are so many errors that more would never be reported; memory stays bounded by looking no further.

    Warnings do not count: an error after any number of them is still found.
    """
    # Counted now and then, so that a list of warnings alone does not make it quadratic.
    if len(findings) < MOST_FINDINGS or len(findings) % 64 > 7:
        return False
    return sum(1 for finding in findings if finding.severity is Severity.ERROR) >= MOST_FINDINGS


def has_error(findings: Iterable[Finding] | None) -> bool:
    return findings is not None and any(finding.severity is Severity.ERROR for finding in findings)


def excerpt(value: object) -> str:
    """A value as JSON, cut to a length that fits a line; whole documents are never repeated."""
    if isinstance(value, dict | list):
        return f"{json_type(value)} with {len(value)} {'members' if isinstance(value, dict) else 'items'}"
    if isinstance(value, str) and len(value) > _LONGEST_EXCERPT:
        value = value[:_LONGEST_EXCERPT] + "…"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 2 * _LONGEST_EXCERPT else text[: 2 * _LONGEST_EXCERPT] + "…"


def json_type(value: object) -> str:
    """``a JSON object``, ``a JSON string``, ``a number`` …"""
    if value is None:
        return "null"
    return _JSON_NAMES.get(type(value), "a number")


def wrong_type(value: object, expected: str, path: str = "") -> Finding:
    """The value has another JSON type than the element allows."""
    return Finding(
        "json-type",
        path,
        found=json_type(value),
        expected=expected,
        message=f"{expected} is required here, not {json_type(value)}",
        fix=f"write the value as {expected}",
        profile="",
    )


def lone_id() -> Finding:
    """ele-1: an id is no content of its own."""
    return Finding(
        "ele-1",
        "",
        found="an element with only an id",
        expected="a value, or an element beside the id",
        message="an element has a value or elements below it, an id alone is none",
        fix="leave the element out, or give it content",
        profile="",
    )


def empty(path: str, what: str) -> Finding:
    """FHIR forbids empty objects, arrays and strings: what is not known is left out."""
    return Finding(
        "empty-array" if what == "array" else f"empty-{what}",
        path,
        found=f"an empty {what}",
        expected="a value, or no element at all",
        message=f"an {what} may not be empty" if what[0] in "aeiou" else f"a {what} may not be empty",
        fix="leave the element out, or give it a value",
        profile="",
    )

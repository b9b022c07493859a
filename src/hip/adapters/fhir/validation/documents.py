"""The rules of a document bundle that no profile can say: full URLs, the first entry, and what hangs together."""

import re
from collections.abc import Mapping
from typing import Any

from hip.adapters.fhir.validation.findings import Finding, excerpt, hopeless
from hip.adapters.fhir.validation.guide import Guide
from hip.adapters.fhir.validation.session import Session

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:.+")
_RESTFUL = re.compile(r"https?://.+/([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")


def document_findings(guide: Guide, bundle: Mapping[str, Any], session: Session) -> list[Finding]:
    """Faults with whole paths (``Bundle.entry[2]``). To be called when every reference has been followed."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return []
    found: list[Finding] = []
    holders: dict[int, Any] = {}
    for number, entry in enumerate(entries):
        if hopeless(found):
            return found
        if isinstance(entry, dict):
            found.extend(_full_url(guide, f"Bundle.entry[{number}]", entry))
            if isinstance(entry.get("resource"), dict):
                holders[number] = entry
    found.extend(_first(entries))
    if 0 in holders:
        found.extend(_unreachable(holders, session))
    return found


def _full_url(guide: Guide, path: str, entry: Mapping[str, Any]) -> list[Finding]:
    url = entry.get("fullUrl")
    if url is None:
        return [
            _fault(
                "entry-fullurl",
                f"{path}.fullUrl",
                found="nothing",
                expected="urn:uuid: with the entry's UUID",
                message="every entry of a document has a fullUrl",
                fix="add fullUrl",
            )
        ]
    if not isinstance(url, str):
        return []
    if not _ABSOLUTE.fullmatch(url):
        return [
            _fault(
                "entry-fullurl",
                f"{path}.fullUrl",
                found=excerpt(url),
                expected="an absolute URL: urn:uuid:… or https://…/Type/id",
                message="fullUrl must be absolute",
                fix="use urn:uuid: with a UUID",
            )
        ]
    resource = entry.get("resource")
    restful = _RESTFUL.fullmatch(url)
    if restful is None or not isinstance(resource, dict) or not guide.is_resource(restful[1]):
        return []
    if (resource.get("resourceType"), resource.get("id")) == (restful[1], restful[2]):
        return []
    return [
        _fault(
            "entry-fullurl",
            f"{path}.fullUrl",
            found=excerpt(url),
            expected=f"…/{resource.get('resourceType')}/{resource.get('id', '<id>')}",
            message="fullUrl and the resource's type and id disagree",
            fix="make fullUrl end in the resource's type and id",
        )
    ]


def _first(entries: list[Any]) -> list[Finding]:
    first = entries[0] if entries else None
    if not isinstance(first, dict) or isinstance(first.get("resource"), dict):
        return []
    return [
        _fault(
            "document-first-entry",
            "Bundle.entry[0]",
            found="an entry without resource",
            expected="a Composition",
            message="the first entry of a document holds its Composition",
            fix="put the Composition first",
        )
    ]


def _unreachable(holders: Mapping[int, Any], session: Session) -> list[Finding]:
    reached = session.linked_to(0)
    if reached.issuperset(holders):
        return []
    # Addresses also stand outside references (Attachment.url), which only now is worth looking for.
    for number, entry in holders.items():
        for text in _texts(entry["resource"]):
            target = session.by_url.get(text)
            if target is not None:
                session.links.add((number, target[0]))
    reached = session.linked_to(0)
    return [
        _fault(
            "document-orphan",
            f"Bundle.entry[{number}]",
            found=f"{entry['resource'].get('resourceType', 'a resource')} that nothing leads to",
            expected="a chain of references from or to the Composition",
            message="the entry has no connection to the Composition, so no app will ever show it",
            fix="refer to it from a section, or remove it",
        )
        for number, entry in holders.items()
        if number not in reached
    ]


def _texts(resource: Any) -> list[str]:
    found: list[str] = []
    waiting = [resource]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return found


def _fault(rule: str, path: str, *, found: str, expected: str, message: str, fix: str) -> Finding:
    return Finding(rule, path, found=found, expected=expected, message=message, fix=fix, profile="")

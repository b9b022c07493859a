"""What a case leaves behind for an auditor, read from the public APIs of both sides and free of personal data."""

import json
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hip.domain.decisions import Stage
from hip.entrypoints.certify.redaction import redacted
from hip.entrypoints.certify.scene import Json, Scene
from hip.entrypoints.demo.stages import CLIENT_ID, HIP_ID
from hip.entrypoints.fhir import validate_bundle
from hip.entrypoints.sandbox.views import JournalEntry

ORDER = (
    "token/generate-token",
    "on-generate-token",
    "link/carecontext",
    "on_carecontext",
    "sms/notify2",
    "sms/on-notify",
    "link/context/notify",
    "context/on-notify",
    "care-context/discover",
    "care-context/on-discover",
    "care-context/init",
    "care-context/on-init",
    "care-context/confirm",
    "care-context/on-confirm",
    "patient/share",
    "patient-share/v3/on-share",
    "consent/request/hip/notify",
    "request/hip/on-notify",
    "health-information/request",
    "hip/on-request",
    "health-information/notify",
    "patients/status/notify",
)
"""The order of the contract, in which each conversation is told: what was under way at the same moment is then shown
alike in every run."""

UUID_LENGTH, UUID_DASHES = 36, 4

STAGES = tuple(Stage)
"""Pages are decided side by side, so their records are put in this order, and by page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One HTTP exchange between gateway and HIP. ``ours``: we called.

    ``about``: ``transfer 1`` and so on, where the body names one.
    """

    at: str
    ours: bool
    path: str
    status: int
    code: str | None
    request_id: str
    about: str
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything about one case; bodies are redacted, documents are named by hash and size."""

    messages: tuple[Message, ...] = ()
    pages: tuple[Json, ...] = ()
    documents: tuple[Json, ...] = ()
    decisions: tuple[Json, ...] = ()
    visits: tuple[Json, ...] = ()
    exchanges: tuple[Json, ...] = ()
    """Of a run by hand, whose messages only the real gateway sees whole: our own calls with their REQUEST-IDs."""


async def gathered(scene: Scene) -> Evidence:
    """Everything about one case, from the gateway's journal, the requester's store and our own API."""
    journal = await scene.stage.control.journal()
    return Evidence(
        messages=tuple(_messages(scene, journal)),
        pages=tuple([page for transaction in scene.transactions for page in await _pages(scene, transaction)]),
        documents=tuple(sorted(_documents(scene), key=_named)),
        decisions=tuple([line for consent in scene.consents for line in await _decisions(scene, consent)]),
        visits=tuple(sorted([await _visit(scene, code) for code in sorted(set(scene.visits))], key=_named)),
    )


def _messages(scene: Scene, journal: list[JournalEntry]) -> list[Message]:
    """Those between gateway and us that name somebody or something of this case, or answer one that does."""
    known: dict[str, JournalEntry] = {}
    subjects = set(scene.subjects)
    between = [one for one in journal if one.client_id == CLIENT_ID or _to_us(one)]
    while more := [one for one in between if one.request_id not in known and _concerns(one, subjects, known)]:
        known |= {one.request_id: one for one in more}
        subjects |= {name for one in more for name in _ids(one.body)}
    return [
        _message(scene, one)
        for thread in _threads(scene, [one for one in between if one.request_id in known])
        for one in sorted(thread, key=lambda one: (_rank(one.path), one.number))
    ]


def _to_us(entry: JournalEntry) -> bool:
    return entry.direction == "out" and entry.service_id == HIP_ID


def _threads(scene: Scene, entries: list[JournalEntry]) -> list[list[JournalEntry]]:
    """Each conversation, in the order of their beginnings: answers and reports belong to what they answer."""
    threads: dict[str, list[JournalEntry]] = {}
    thread_of: dict[str, str] = {}
    for one in entries:
        about = _about(scene, one.body)
        name = thread_of.get(one.request_id) or thread_of.get(_answered(one.body)) or thread_of.get(about)
        name = name or one.request_id
        thread_of |= {one.request_id: name, **({about: name} if about else {})}
        threads.setdefault(name, []).append(one)
    return list(threads.values())


def _message(scene: Scene, one: JournalEntry) -> Message:
    return Message(
        at=one.at,
        ours=one.direction == "in",
        path=one.path,
        status=one.status,
        code=one.code,
        request_id=one.request_id,
        about=_about(scene, one.body),
        body=redacted(one.body),
    )


def _about(scene: Scene, body: Any) -> str:
    named = set(_texts(body))
    return next((_transfer(scene, one) for one in scene.transactions if one in named), "")


def _transfer(scene: Scene, transaction: str) -> str:
    """A transfer by its place in the case: its id is another in every run."""
    known = transaction in scene.transactions
    return f"transfer {scene.transactions.index(transaction) + 1}" if known else "another transfer"


def _concerns(entry: JournalEntry, subjects: set[str], known: dict[str, JournalEntry]) -> bool:
    return _answered(entry.body) in known or bool(subjects & set(_texts(entry.body)))


def _answered(body: Any) -> str:
    answers = (body.get("response") or body.get("resp") or {}) if isinstance(body, dict) else {}
    return str(answers.get("requestId", ""))


def _ids(body: Any) -> set[str]:
    """Transactions, consents and link references that a message of this case is about."""
    return {text for text in _texts(body) if len(text) == UUID_LENGTH and text.count("-") == UUID_DASHES}


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def _rank(path: str) -> int:
    return next((number for number, part in enumerate(ORDER) if path.endswith(part)), len(ORDER))


async def _pages(scene: Scene, transaction: str) -> list[Json]:
    """What was pushed, as the requester stored it: still sealed, and redacted besides."""
    response = await scene.stage.control.http.get(
        f"{scene.stage.control.hiu_url}/sandbox/transfers/{transaction}/sealed"
    )
    pages = [json.loads(b64decode(page)) for page in response.json()["pages"]] if response.is_success else []
    named = [{"transfer": _transfer(scene, transaction), **redacted(page)} for page in pages]
    return sorted(named, key=lambda page: int(page["pageNumber"]))


def _documents(scene: Scene) -> Iterable[Json]:
    """What the requester opened, and what the validator says of it."""
    for record in scene.records:
        report = validate_bundle(record.content)
        yield {
            "careContextReference": record.care_context_reference,
            "page": record.page_number,
            "sha256": record.sha256,
            "bytes": len(record.content),
            "checksum": record.checksum,
            "readable": record.problem or "yes",
            "valid": report.valid,
            "errors": [f"{issue.path} {issue.rule}: {issue.message}" for issue in report.errors],
            "warnings": len(report.issues) - len(report.errors),
        }


async def _decisions(scene: Scene, consent_id: str) -> list[Json]:
    shown = await scene.get(f"/v1/consents/{consent_id}")
    kept = ("at", "stage", "transactionId", "page", "verdict", "rule", "code", "reason", "leaving", "kept")
    lines = [{name: line[name] for name in kept} for line in reversed(shown.get("decisions", []))]
    for line in lines:
        if line["transactionId"] is not None:
            line["transactionId"] = _transfer(scene, line["transactionId"])
    return sorted(lines, key=lambda one: (one["transactionId"] or "", STAGES.index(one["stage"]), one["page"] or 0))


async def _visit(scene: Scene, code: str) -> Json:
    shown = await scene.get(f"/v1/visits/{code}")
    documents = [
        {name: bundle.get(name) for name in ("hiType", "version", "valid", "size", "sha256", "errors")}
        for bundle in shown.get("bundles", [])
    ]
    return {
        "careContextReference": code,
        "linked": shown.get("linked", False),
        "documents": sorted(documents, key=lambda one: str(one["hiType"])),
    }


def _named(part: Json) -> tuple[str, str]:
    return str(part["careContextReference"]), str(part.get("sha256", ""))

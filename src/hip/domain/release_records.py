"""Release rules about one record of one care context (rules.md §2, REL-06, 07, 09, 10, 19, 22, 23).

One function a rule, pure; each fails closed: what is missing or cannot be compared refuses. A refusal here keeps the
record, not the request.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Self

from hip.domain.bundles import BundleRecord
from hip.domain.consents import ConsentedContext
from hip.domain.decisions import RuleResult, digest
from hip.domain.hi_types import HiType
from hip.domain.links import CareContext
from hip.domain.release_facts import NOT_GRANTED, WRONG_DATES, RequestFacts, missing, passed, refused, spared

ABHA_ADDRESS_SYSTEM = "https://phr.abdm.gov.in"
"""The identifier system of ABHA addresses in FHIR (NRCeS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a bundle says it is about: the identifiers of its one Patient, and whether everything points there."""

    numbers: frozenset[str] = field(repr=False)
    abha_addresses: frozenset[str] = field(repr=False)
    consistent: bool

    @classmethod
    def read(cls, content: bytes) -> Self:
        """From a document bundle in JSON. Whatever cannot be read is inconsistent; never raises."""
        nobody = cls(numbers=frozenset(), abha_addresses=frozenset(), consistent=False)
        try:
            entries = [(entry.get("fullUrl"), entry["resource"]) for entry in json.loads(content)["entry"]]
            patients = [(url, one) for url, one in entries if one["resourceType"] == "Patient"]
            if len(patients) != 1 or not entries or entries[0][1]["resourceType"] != "Composition":
                return nobody
            [(url, patient)] = patients
            identifiers = [(one.get("system"), str(one["value"])) for one in patient["identifier"]]
            return cls(
                numbers=frozenset(value for system, value in identifiers if system != ABHA_ADDRESS_SYSTEM),
                abha_addresses=frozenset(v.lower() for system, v in identifiers if system == ABHA_ADDRESS_SYSTEM),
                consistent=_all_point_to(entries, url),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return nobody


def _all_point_to(entries: list[tuple[Any, Any]], url: Any) -> bool:
    """The composition has a subject, and no resource has one, or a patient, that is anybody else."""
    if not isinstance(url, str) or not url or "subject" not in entries[0][1]:
        return False
    named = [one[name] for _, one in entries for name in ("subject", "patient") if name in one]
    return all(reference["reference"] == url for reference in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts:
    """One record as our books know it; ``opened`` once its bytes are in hand, right before they would be sealed.

    ``content_hash`` is the SHA-256 in hex of those bytes. ``to_build`` marks one that is to be built before its page.
    """

    context: ConsentedContext
    known: CareContext | None
    hi_type: HiType | None
    record: BundleRecord | None
    to_build: bool = False
    opened: bool = False
    content_hash: str | None = None
    subject: Subject | None = None


def rel_06(facts: RequestFacts, one: RecordFacts) -> RuleResult:
    """The care context is linked to the very ABHA address that gave the consent."""
    if facts.artefact is None or one.known is None:
        return missing("REL-06")
    linked_to, patient = one.known.linked_to, facts.artefact.patient
    if linked_to is None or linked_to != patient:
        return refused("REL-06", NOT_GRANTED, "the care context is not linked to this patient")
    return passed("REL-06", patient=digest(patient.text))


def rel_07(facts: RequestFacts, one: RecordFacts) -> RuleResult:
    """The pair of patient and care context stands in the artefact, and is ours as it stands there."""
    context = one.context
    if facts.authority is None or context not in facts.authority.contexts:
        return refused("REL-07", NOT_GRANTED, "the care context is not part of the consent")
    known = one.known
    if known is None or known.hip_id != facts.transfer.hip_id or known.reference != context.care_context_reference:
        return refused("REL-07", NOT_GRANTED, "the care context is not known here")
    if known.patient_reference != context.patient_reference:
        return refused("REL-07", NOT_GRANTED, "the care context is another patient's")
    return passed("REL-07", patient_reference=digest(context.patient_reference))


def rel_09(facts: RequestFacts, one: RecordFacts) -> RuleResult:
    """The clinical date, with its time, lies in the dates asked for and in those consented; both ends belong."""
    if facts.artefact is None or one.known is None:
        return missing("REL-09", WRONG_DATES)
    at, asked, allowed = one.known.clinical_date, facts.transfer.request.date_range, facts.artefact.date_range
    if not (asked.contains(at) and allowed.contains(at)):
        return refused("REL-09", WRONG_DATES, "the record lies outside the consented dates", clinical_date=at)
    return passed("REL-09", clinical_date=at)


def rel_10(facts: RequestFacts, one: RecordFacts) -> RuleResult:
    """The kind of record is one that the consent names."""
    if facts.artefact is None:
        return missing("REL-10")
    if one.hi_type is None:
        return refused("REL-10", NOT_GRANTED, "there is no record of any kind")
    if one.hi_type not in facts.artefact.hi_types:
        return refused("REL-10", NOT_GRANTED, "the kind of record is not part of the consent", hi_type=one.hi_type)
    return passed("REL-10", hi_type=one.hi_type)


def rel_19(facts: RequestFacts, one: RecordFacts) -> RuleResult:
    """The bytes hash to what they hashed to when they were stored."""
    del facts
    if not one.opened:
        return spared("REL-19", "compared when the record is opened")
    if one.record is None or one.content_hash is None or one.record.sha256 != one.content_hash:
        return refused("REL-19", NOT_GRANTED, "the stored bundle is missing or was changed")
    return passed("REL-19", sha256=one.content_hash, version=one.record.version)


def rel_22(facts: RequestFacts, one: RecordFacts) -> RuleResult:
    """The bundle was found valid, and names as its one subject the patient of this care context and consent."""
    if one.record is None or not one.record.valid:
        if one.to_build and one.record is None and not one.opened:
            return spared("REL-22", "to be built and validated before it is sent")
        return refused("REL-22", NOT_GRANTED, "there is no valid bundle")
    if not _fits(one):
        return refused("REL-22", NOT_GRANTED, "the valid bundle is another record's")
    if not one.opened:
        return passed("REL-22", version=one.record.version)
    subject = one.subject
    if facts.artefact is None or subject is None or not subject.consistent:
        return refused("REL-22", NOT_GRANTED, "the bundle does not say whose it is")
    if one.context.patient_reference.strip() not in subject.numbers:
        return refused("REL-22", NOT_GRANTED, "the bundle is another patient's")
    if subject.abha_addresses - {facts.artefact.patient.text}:
        return refused("REL-22", NOT_GRANTED, "the bundle carries another ABHA address")
    return passed("REL-22", version=one.record.version, patient_reference=digest(one.context.patient_reference))


def _fits(one: RecordFacts) -> bool:
    """The bundle is filed under this very context's visit and kind of record."""
    if one.record is None or one.known is None:
        return False
    key = one.record.key
    return (key.hip_id, key.visit_code, key.hi_type) == (one.known.hip_id, one.known.visit_code, one.hi_type)


RECORD_RULES = (rel_07, rel_06, rel_09, rel_10, rel_19, rel_22)
"""In the order in which they are asked: first whose it is, then when and what, then whether it is sound."""

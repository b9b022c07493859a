"""AMRIT's own documents, read whatever their spelling: Pascal or camel case, text or sub-document (amrit.md §5)."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

from hip.adapters.document_shapes import LARGEST_DOCUMENT
from hip.application.existing_documents import ExistingBundle, ExistingContext, ExistingPatient, Kind
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, AbhaNumber, PatientReference, VisitCode, phone_number, reference
from hip.domain.patients import Gender, Patient

Document = Mapping[str, Any]
_T = TypeVar("_T")

_INDIA = timezone(timedelta(hours=5, minutes=30))
"""AMRIT writes the hospital's clock where it writes no offset."""

_LARGEST = LARGEST_DOCUMENT - 1024 * 1024
"""Bytes of a bundle; the rest is for what is stored beside it."""


def existing(kind: Kind, document: Document) -> ExistingPatient | ExistingBundle:
    """Raises InvalidValue with the field as AMRIT spells it."""
    fields = _spelt(document)
    made = getattr(document.get("_id"), "generation_time", None)  # an ObjectId knows when it was made
    return _patient(fields, made) if kind is Kind.PATIENTS else _bundle(fields, made)


def _spelt(document: Document) -> dict[str, Any]:
    """By lower-case name without underscores; of two spellings the first that has a value."""
    fields: dict[str, Any] = {}
    for name, value in document.items():
        if fields.get(_plain(name)) is None:
            fields[_plain(name)] = value
    return fields


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _patient(fields: Document, made: datetime | None) -> ExistingPatient:
    year = _text(fields, "yearOfBirth")
    if year is None or not (year.isascii() and year.isdigit()):
        raise InvalidValue("yearOfBirth", "a year")
    gender = _text(fields, "Gender")
    patient = Patient(
        reference=PatientReference(_needed(fields, "identifier")),
        name=_text(fields, "name") or "",
        gender=Gender.UNKNOWN if gender is None else Gender.parse(gender, field="Gender"),
        birth_year=int(year),
        phone=_unless_wrong(phone_number, _text(fields, "phoneNumber")),
        email=_text(fields, "email"),
        abha_address=_unless_wrong(AbhaAddress.parse, _text(fields, "HealthId")),
        abha_number=_unless_wrong(AbhaNumber.parse, _text(fields, "HealthNumber")),
    )
    return ExistingPatient(
        patient=patient, contexts=tuple(_contexts(fields.get("carecontextslist") or ())), created_at=made
    )


def _contexts(listed: Any) -> Iterable[ExistingContext]:
    if not isinstance(listed, list | tuple):
        raise InvalidValue("careContextsList", "a list")
    for index, each in enumerate(listed):
        at = f"careContextsList[{index}]"
        if not isinstance(each, Mapping):
            raise InvalidValue(at, "a care context")
        fields = _spelt(each)
        yield ExistingContext(
            visit_code=VisitCode(_needed(fields, "ReferenceNumber", at=f"{at}.")),
            facility=_text(fields, "abdmFacilityId"),
            linked_at=_moment(fields, "careContextLinkedDate", at=f"{at}."),
        )


def _bundle(fields: Document, made: datetime | None) -> ExistingBundle:
    created = _moment(fields, "CreateDate") or made
    if created is None:
        raise InvalidValue("CreateDate", "a date and time")
    return ExistingBundle(
        visit_code=VisitCode(_needed(fields, "VisitCode")),
        hi_type=HiType.parse(_text(fields, "ResourceType") or "", field="ResourceType"),
        content=_content(fields.get("resourcejson")),
        created_at=created,
        beneficiary=_text(fields, "BeneficiaryID"),
        abha_number=_unless_wrong(AbhaNumber.parse, _text(fields, "NationalHealthID")),
    )


def _content(value: Any) -> bytes:
    if isinstance(value, str) and value.strip():
        content = value.encode()
    elif isinstance(value, Mapping):
        try:
            content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError):
            # A date or a decimal of MongoDB's own: how it was written in the bundle is lost.
            raise InvalidValue("ResourceJson", "values that JSON has") from None
    else:
        raise InvalidValue("ResourceJson", "a bundle, as text or as a sub-document")
    if len(content) > _LARGEST:
        raise InvalidValue("ResourceJson", "at most 15 MiB")
    return content


def _text(fields: Document, name: str) -> str | None:
    """Numbers as they are written; empty text is none."""
    value = fields.get(_plain(name))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidValue(name, "text or a whole number")
    return str(value).strip() or None


def _needed(fields: Document, name: str, *, at: str = "") -> str:
    return reference(_text(fields, name) or "", field=at + name)


def _moment(fields: Document, name: str, *, at: str = "") -> datetime | None:
    value = fields.get(_plain(name))
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            raise InvalidValue(at + name, "a date and time (ISO 8601)") from None
    if not isinstance(value, datetime):
        raise InvalidValue(at + name, "a date and time")
    return (value if value.tzinfo is not None else value.replace(tzinfo=_INDIA)).astimezone(UTC)


def _unless_wrong(parse: Callable[[str], _T], text: str | None) -> _T | None:
    """An ABHA or telephone that is none is left out, as from AMRIT's tables."""
    try:
        return None if text is None else parse(text)
    except InvalidValue:
        return None

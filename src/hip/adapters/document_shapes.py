"""The documents of the four collections, before they meet a database.

Field names are AMRIT's where AMRIT has one (amrit.md §5), types too: years and dates of a care context are text there.
Ours stand beside them in camelCase: ``hipId`` first in every key, ``version``, ``sha256``, ``size``, ``invalid``. AMRIT
keeps replies as JSON text; ours is JSON text as well, but what is secret in it is sealed and named ``Sealed…``, so that
a reader who expects the plain value finds none instead of a wrong one.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Self
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from hip.domain.bundles import Bundle, BundleKey, Issue, Severity
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import AbhaAddress, HipId, PatientReference, RequestId
from hip.domain.links import CareContext
from hip.domain.patients import Patient

LARGEST_DOCUMENT = 16 * 1024 * 1024
"""MongoDB's limit for one document, in bytes."""

# For the other fields of a bundle's document, so that a bundle that passes here is not refused by the server.
_RESERVED = 64 * 1024
_NAMESPACE = UUID("5f6bd1bd-4d9f-5b0e-9d8e-6b1c5a2f7e10")

_STORED_NAMES = {
    "id": "_id",
    "hip_id": "hipId",
    "visit_code": "VisitCode",
    "resource_type": "ResourceType",
    "resource_json": "ResourceJson",
    "create_date": "CreateDate",
    "request_id": "requestId",
    "abha_address": "abhaAddress",
    "reference_number": "ReferenceNumber",
    "display": "Display",
    "linked_date": "careContextLinkedDate",
    "facility_id": "abdmFacilityId",
    "case_reference_number": "caseReferenceNumber",
    "phone_number": "phoneNumber",
    "gender": "Gender",
    "year_of_birth": "yearOfBirth",
    "health_number": "HealthNumber",
    "health_id": "HealthId",
    "care_contexts": "careContextsList",
}


def stored_name(field: str) -> str:
    """What a field is called in the database."""
    return _STORED_NAMES.get(field, field)


def document_id(*key: str) -> UUID:
    """The same ``_id`` for the same key, so that writing again finds the same document, whoever writes."""
    return uuid5(_NAMESPACE, "\n".join(key))


class Shape(BaseModel):
    """A document: frozen, extra fields of others ignored, and no value of it in a validation error."""

    model_config = ConfigDict(
        alias_generator=stored_name, frozen=True, populate_by_name=True, extra="ignore", hide_input_in_errors=True
    )

    def stored(self) -> dict[str, object]:
        """Field names as stored; ``_id`` is not among them."""
        return self.model_dump(by_alias=True)


class IssueShape(Shape):
    """One finding of the validator."""

    severity: str
    rule: str
    profile: str
    path: str
    found: str
    expected: str
    message: str
    fix: str

    @classmethod
    def of(cls, issue: Issue) -> Self:
        """Half of a surrogate pair, which JSON can hold and BSON cannot, becomes a question mark."""
        texts = {
            "severity": issue.severity.value,
            "rule": issue.rule,
            "profile": issue.profile,
            "path": issue.path,
            "found": issue.found,
            "expected": issue.expected,
            "message": issue.message,
            "fix": issue.fix,
        }
        return cls(**{name: text.encode("utf-8", "replace").decode() for name, text in texts.items()})

    def issue(self) -> Issue:
        """The finding in the domain's words."""
        return Issue(
            severity=Severity(self.severity),
            rule=self.rule,
            profile=self.profile,
            path=self.path,
            found=self.found,
            expected=self.expected,
            message=self.message,
            fix=self.fix,
        )

    @property
    def size(self) -> int:
        """Bytes of all texts."""
        texts = (self.severity, self.rule, self.profile, self.path, self.found, self.expected, self.message, self.fix)
        return sum(len(text.encode()) for text in texts)


class BundleShape(Shape):
    """``Amrit_Resource``: one version of a bundle. ``ResourceJson`` holds its exact bytes as text."""

    hip_id: str
    visit_code: str
    resource_type: str
    version: int
    resource_json: str = Field(repr=False)
    create_date: datetime
    sha256: str
    size: int
    invalid: bool
    issues: tuple[IssueShape, ...] = Field(repr=False)

    @staticmethod
    def key(key: BundleKey, version: int) -> UUID:
        """The ``_id`` of this version."""
        return document_id("bundle", key.hip_id, key.visit_code, key.hi_type.value, str(version))

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Raises InvalidValue for bytes that are not UTF-8 and for more than fits into one document."""
        issues = tuple(IssueShape.of(issue) for issue in bundle.issues)
        if len(bundle.content) + sum(issue.size for issue in issues) > LARGEST_DOCUMENT - _RESERVED:
            raise InvalidValue("bundle.content", "a bundle below 16 MiB, its issues included")
        try:
            text = bundle.content.decode()
        except UnicodeDecodeError:
            raise InvalidValue("bundle.content", "UTF-8 text") from None
        return cls(
            hip_id=bundle.key.hip_id,
            visit_code=bundle.key.visit_code,
            resource_type=bundle.key.hi_type.value,
            version=bundle.version,
            resource_json=text,
            create_date=bundle.composed_at,
            sha256=bundle.sha256,
            size=len(bundle.content),
            invalid=not bundle.valid,
            issues=issues,
        )


class GatewayResponseShape(Shape):
    """``NDHMResponse``: a callback's body or a call's answer. ``responsedata`` is None once the body was cut out."""

    hip_id: str
    path: str
    requestid: str
    responsedata: str | None = Field(repr=False)

    @staticmethod
    def key(hip_id: HipId, request_id: RequestId, path: str) -> UUID:
        """The ``_id``; the same REQUEST-ID may come on two paths (the inbox is keyed likewise)."""
        return document_id("gateway-response", hip_id, path, request_id)

    @classmethod
    def of(cls, hip_id: HipId, request_id: RequestId, *, path: str, sealed_body: bytes | None) -> Self:
        """The sealed bytes become ``{"SealedBody": "<base64>"}``."""
        data = None if sealed_body is None else json.dumps({"SealedBody": base64.b64encode(sealed_body).decode()})
        return cls(hip_id=hip_id, path=path, requestid=request_id, responsedata=data)


class LinkTokenShape(Shape):
    """``GenerateLinkTokenResponse``: ``response`` says ``SealedLinkToken`` or ``Error`` with ``Code``, never both."""

    hip_id: str
    request_id: str
    abha_address: str = Field(repr=False)
    response: str | None = Field(repr=False)

    @staticmethod
    def key(hip_id: HipId, request_id: RequestId) -> UUID:
        """The ``_id``."""
        return document_id("link-token", hip_id, request_id)

    @classmethod
    def of(
        cls,
        hip_id: HipId,
        request_id: RequestId,
        *,
        abha_address: AbhaAddress,
        sealed_token: bytes | None,
        error_code: str | None,
    ) -> Self:
        """``response`` is None when there is neither token nor error, as after the token was dropped."""
        response: dict[str, object] | None = None
        if sealed_token is not None:
            response = {"SealedLinkToken": base64.b64encode(sealed_token).decode()}
        elif error_code is not None:
            response = {"Error": {"Code": error_code}}
        return cls(
            hip_id=hip_id,
            request_id=request_id,
            abha_address=abha_address.text,
            response=None if response is None else json.dumps(response),
        )


class CareContextShape(Shape):
    """One linked visit in a patient's list."""

    reference_number: str
    display: str
    linked_date: str | None
    facility_id: str

    @classmethod
    def of(cls, context: CareContext) -> Self:
        """The date of the link is ISO 8601 in UTC, to the millisecond."""
        linked = context.linked_at
        return cls(
            reference_number=context.reference,
            display=context.display,
            linked_date=None if linked is None else linked.astimezone(UTC).isoformat(timespec="milliseconds"),
            facility_id=context.hip_id,
        )


class PatientContextsShape(Shape):
    """``PatientCareContexts``: a patient and every visit that is linked. ``revision`` counts changes, from 1."""

    hip_id: str
    identifier: str
    case_reference_number: str
    phone_number: str | None = Field(repr=False)
    email: str | None = Field(default=None, repr=False)
    name: str = Field(repr=False)
    gender: str
    year_of_birth: str
    health_number: str | None = Field(repr=False)
    health_id: str | None = Field(repr=False)
    care_contexts: tuple[CareContextShape, ...] = Field(repr=False)
    revision: int = 1

    @staticmethod
    def key(hip_id: HipId, reference: PatientReference | str) -> UUID:
        """The ``_id``."""
        return document_id("patient-contexts", hip_id, reference)

    @classmethod
    def of(cls, hip_id: HipId, patient: Patient, contexts: Sequence[CareContext]) -> Self:
        """Contexts that are not linked are left out."""
        return cls(
            hip_id=hip_id,
            identifier=patient.reference,
            case_reference_number=patient.reference,
            phone_number=patient.phone,
            email=patient.email,
            name=patient.name,
            gender=patient.gender.value,
            year_of_birth=str(patient.birth_year),
            health_number=None if patient.abha_number is None else patient.abha_number.digits,
            health_id=None if patient.abha_address is None else patient.abha_address.text,
            care_contexts=_in_order([CareContextShape.of(context) for context in contexts if context.linked]),
        )

    def after(self, stored: Self) -> Self:
        """What to store over ``stored``; equal to it when there is nothing new.

        A link is for ever (LINK-04), so contexts that only ``stored`` has stay: a writer who read them before another
        visit was linked does not take that visit away.
        """
        contexts = {context.reference_number: context for context in (*stored.care_contexts, *self.care_contexts)}
        merged = self.model_copy(update={"care_contexts": _in_order(contexts.values()), "revision": stored.revision})
        return stored if merged == stored else merged.model_copy(update={"revision": stored.revision + 1})


def _in_order(contexts: Iterable[CareContextShape]) -> tuple[CareContextShape, ...]:
    """Oldest link first, so that the same links give the same document."""
    return tuple(sorted(contexts, key=lambda context: (context.linked_date or "", context.reference_number)))

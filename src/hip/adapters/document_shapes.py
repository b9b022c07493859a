"""Documents before they meet a database: what all four collections share, and that of bundles.

Field names are AMRIT's where AMRIT has one (amrit.md §5). Ours stand beside them in camelCase: ``hipId`` first in every
key, ``version``, ``sha256``, ``size``, ``invalid``.
"""

from datetime import datetime
from typing import Self
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from hip.domain.bundles import Bundle, BundleKey, Issue, Severity
from hip.domain.errors import InvalidValue

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

"""A FHIR document bundle as the rest of the service sees it: bytes with a key, a version and a verdict."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode


class Severity(StrEnum):
    """How grave an issue is. Only ``error`` makes a bundle invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One finding of a validator, in words someone can act on.

    ``path`` is FHIRPath with indices (``Bundle.entry[0].resource.section[1].title``); ``rule`` is stable
    (``json-syntax``, ``min``, ``fixed-value``, ``bdl-9`` …); ``profile`` is the canonical URL or "" for base R4.
    ``found`` never holds more than a short excerpt of the value.
    """

    severity: Severity
    rule: str
    profile: str
    path: str
    found: str = field(repr=False)
    expected: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationReport:
    """Every issue of one bundle, in document order."""

    issues: tuple[Issue, ...] = ()

    @property
    def valid(self) -> bool:
        """True when no issue is an error."""
        return not any(issue.severity is Severity.ERROR for issue in self.issues)

    @property
    def errors(self) -> tuple[Issue, ...]:
        """The issues that make the bundle invalid."""
        return tuple(issue for issue in self.issues if issue.severity is Severity.ERROR)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BundleKey:
    """What identifies a bundle through all its versions: one per HIP, visit and HI type (contract §5.2)."""

    hip_id: HipId
    visit_code: VisitCode
    hi_type: HiType

    def __str__(self) -> str:
        return f"{self.hip_id}/{self.visit_code}/{self.hi_type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The bytes of one version of a bundle: UTF-8 JSON, exactly what is sealed and sent."""

    key: BundleKey
    version: int
    content: bytes = field(repr=False)
    valid: bool
    composed_at: datetime
    issues: tuple[Issue, ...] = ()

    @property
    def sha256(self) -> str:
        """Lower-case hex digest of ``content``; Postgres keeps it and the bundle is refused when they differ."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRecord:
    """What Postgres knows of a bundle version. A bundle exists when this and the document store agree."""

    key: BundleKey
    version: int
    sha256: str
    size: int
    valid: bool
    clinical_date: datetime
    composed_at: datetime

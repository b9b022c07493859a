"""Files that belong to a visit. Their kind is read from their first bytes, never believed from a name."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.recorded import Concept, Recorded

# A bundle is one Mongo document of at most 16 MiB, and base64 makes four bytes of three.
MAX_FILE_BYTES = 10 * 1024 * 1024
MAX_VISIT_BYTES = 11 * 1024 * 1024


class MediaType(StrEnum):
    """The kinds of file a patient's app can show."""

    PDF = "application/pdf"
    JPEG = "image/jpeg"
    PNG = "image/png"

    @classmethod
    def sniff(cls, content: bytes) -> Self | None:
        """The kind by its signature, or None."""
        for signature, kind in _SIGNATURES:
            if content.startswith(signature):
                return cls(kind)
        return None


_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Attachment(Recorded):
    """A file. ``content_type``, when stated, must be what the bytes are. Raises InvalidValue, also beyond 10 MiB."""

    title: str
    data: bytes = field(repr=False)
    content_type: str | None = None
    created: datetime | None = None

    def __post_init__(self) -> None:
        Recorded.__post_init__(self)
        if len(self.data) > MAX_FILE_BYTES:
            raise InvalidValue("data", f"a file of at most {MAX_FILE_BYTES // 1024 // 1024} MiB")
        sniffed = MediaType.sniff(self.data)
        if sniffed is None:
            raise InvalidValue("data", "a PDF, JPEG or PNG file")
        if self.content_type is not None and self.content_type != sniffed:
            raise InvalidValue("contentType", f"{sniffed}, which is what the file is")

    @property
    def media_type(self) -> MediaType:
        """What the bytes are."""
        found = MediaType.sniff(self.data)
        assert found is not None
        return found


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Document(Attachment):
    """A file that is a record of its own, or a part of the record ``belongs_to`` names.

    It leaves only with bundles of that HI type: a consent for consultations must not carry a scanned health document.
    """

    kind: Concept | None = None
    belongs_to: HiType = HiType.HEALTH_DOCUMENT_RECORD

    def __post_init__(self) -> None:
        Attachment.__post_init__(self)
        if self.belongs_to is HiType.INVOICE:
            raise InvalidValue("belongsTo", "an HI type that can carry documents; an invoice cannot")

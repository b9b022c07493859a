"""What the control APIs of the sandbox show, and what its control client reads: one shape for both ends.

Times are ISO UTC texts with a ``Z``. Clinical content never shows in a ``repr``.
"""

from typing import Any, Literal

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Immutable; JSON names are in camel case."""


class Problem(View, frozen=True, kw_only=True):
    """An error object as it travelled: the code without trailing signs, and prose."""

    code: str
    message: str = ""


class JournalEntry(View, frozen=True, kw_only=True):
    """One HTTP exchange of the gateway. ``in``: a call made to it; ``out``: one attempt to deliver a callback.

    ``status`` 0 means that no reply came (or, outwards, that the callback was withheld by a scenario).
    """

    number: int
    at: str
    direction: Literal["in", "out"]
    method: str
    path: str
    status: int
    request_id: str = ""
    client_id: str = ""
    service_id: str = ""
    code: str | None = None
    attempt: int = 1
    note: str = ""
    body: Any = None


class Finding(View, frozen=True, kw_only=True):
    """Something the real gateway would let pass and a good HIP does not do."""

    at: str
    rule: str
    detail: str


class LinkedContext(View, frozen=True, kw_only=True):
    """A care context linked to an ABHA address; ``hi_types`` as linked, or added by a context notify."""

    hip_id: str
    abha_address: str
    patient_reference: str
    reference: str
    display: str
    hi_types: tuple[str, ...]
    linked_at: str
    by: Literal["HIP", "PATIENT"]


class ConsentRequestView(View, frozen=True, kw_only=True):
    """What an HIU asked the patient. ``detail`` is the request as sent."""

    id: str
    patient: str
    hiu_id: str
    status: str
    purpose: str
    hi_types: tuple[str, ...]
    artefacts: tuple[str, ...] = ()
    detail: Any = None


class ConsentView(View, frozen=True, kw_only=True):
    """One artefact. ``hip_acknowledged``: the HIP's on-notify for this status, null while none came."""

    id: str
    request_id: str
    status: str
    patient: str
    hip_id: str
    hiu_id: str
    hip_acknowledged: str | None
    detail: Any
    signature: str


class NotifyView(View, frozen=True, kw_only=True):
    """One transfer notify as the gateway took it. ``outcomes`` is care context reference → hiStatus."""

    at: str
    notifier: str
    notifier_id: str
    session_status: str
    outcomes: dict[str, str]
    descriptions: dict[str, str] = {}


class TransferView(View, frozen=True, kw_only=True):
    """A health information request and what became of it at the gateway."""

    transaction_id: str
    consent_id: str
    hip_id: str
    hiu_id: str
    state: str
    asked_at: str
    problem: Problem | None = None
    notifies: tuple[NotifyView, ...] = ()


class Sms(View, frozen=True, kw_only=True):
    """A text message on a patient's telephone; ``mobile`` is 10 digits."""

    mobile: str
    text: str
    sender: str = ""
    at: str = ""

    def __repr__(self) -> str:
        return f"Sms(sender={self.sender!r}, at={self.at!r})"


class DiscoveryView(View, frozen=True, kw_only=True):
    """A patient's search at a HIP: ``waiting``, then ``found`` or ``failed``."""

    id: str
    abha_address: str
    hip_id: str
    status: str
    transaction_id: str | None = None
    patient: tuple[dict[str, Any], ...] = ()
    matched_by: tuple[str, ...] = ()
    problem: Problem | None = None

    def references(self) -> list[str]:
        """The care context references found, each once, in order."""
        found = (context["referenceNumber"] for group in self.patient for context in group.get("careContexts", ()))
        return list(dict.fromkeys(found))


class LinkAttemptView(View, frozen=True, kw_only=True):
    """A patient's linking of what was found: ``waiting``, ``otp``, ``confirming``, then ``linked`` or ``failed``."""

    id: str
    abha_address: str
    hip_id: str
    status: str
    reference_number: str | None = None
    meta: dict[str, Any] = {}
    patient: tuple[dict[str, Any], ...] = ()
    problem: Problem | None = None


class ShareView(View, frozen=True, kw_only=True):
    """A scan and share: ``waiting``, then ``shared`` or ``failed``."""

    id: str
    abha_address: str
    hip_id: str
    status: str
    token_number: str | None = None
    expiry: int | None = None
    problem: Problem | None = None


class HiuTransferView(View, frozen=True, kw_only=True):
    """A request for data as its HIU knows it.

    States: ``asked``, ``accepted``, ``receiving``, ``received``, ``refused``. ``faults``: those drawn for it alone.
    """

    request_id: str
    consent_id: str
    state: str
    transaction_id: str | None = None
    pages: int = 0
    page_count: int | None = None
    authorization_seen: bool = False
    problem: Problem | None = None
    faults: tuple[str, ...] = ()


class ConsentCase(View, frozen=True, kw_only=True):
    """An HIU's view of one consent request. ``id`` is the HIU's own; ``consent_request_id`` the gateway's."""

    id: str
    patient: str
    status: str
    consent_request_id: str | None = None
    artefacts: tuple[str, ...] = ()
    transfers: tuple[HiuTransferView, ...] = ()
    problem: Problem | None = None


class SealedTransfer(View, frozen=True, kw_only=True):
    """Pages as they were pushed, with the HIU's private key (a big-endian integer, base64) and nonce."""

    private_key: str
    nonce: str
    pages: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"SealedTransfer({len(self.pages)} pages)"


class OpenedRecord(View, frozen=True, kw_only=True):
    """One entry of a page, opened. ``content`` is the plaintext, ``sha256`` its lower-case hex digest.

    ``checksum``: whether the entry's MD5 was the plaintext's. ``problem``: why it could not be opened or read as FHIR.
    """

    transaction_id: str
    consent_id: str
    care_context_reference: str
    page_number: int
    entry: int
    content: bytes = b""
    sha256: str = ""
    checksum: Literal["match", "differs", "absent"] = "absent"
    key_form: Literal["raw", "x509"] = "raw"
    resource_type: str | None = None
    repeat: bool = False
    problem: str | None = None

    def __repr__(self) -> str:
        return f"OpenedRecord({self.care_context_reference!r}, sha256={self.sha256!r}, problem={self.problem!r})"

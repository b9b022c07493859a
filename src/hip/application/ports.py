"""The edges of the application, worded for the domain. What a transaction can reach is in ``storage``.

Every method that meets the outside raises Transient when another try may succeed, and a DomainError when it may not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from hip.application.gateway_calls import GatewayCall
from hip.application.gateway_events import GatewayEvent
from hip.application.storage import OutboxRow
from hip.domain.bundles import Bundle, BundleKey, Issue, ValidationReport
from hip.domain.circuits import Circuit
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import AbhaAddress, HipId, RequestId, TransactionId
from hip.domain.key_material import KeyMaterial, SealedPage
from hip.domain.links import CareContext, LinkToken
from hip.domain.patients import Patient
from hip.domain.visits import VisitRecord


@runtime_checkable
class Clock(Protocol):
    def __call__(self) -> datetime:
        """Now, in UTC, aware."""


@runtime_checkable
class Alarm(Protocol):
    def __call__(self, event: str, *, hip_id: HipId, subject: str, detail: str = "") -> None:
        """One line in the log for a person to look at. ``subject`` is an id of a consent or transaction, never a name.

        ``detail`` is a rule, a code or a share; what must last is written to the audit besides.
        """


class Ids(Protocol):
    def __call__(self) -> str:
        """A fresh lower-case UUID v4; never the same twice (contract §1.2)."""


class Gateway(Protocol):
    async def send(self, call: GatewayCall, *, hip_id: HipId, request_id: RequestId, now: datetime) -> int:
        """Make one HTTP call under this REQUEST-ID and return its 2xx status (any 2xx, contract §1.8).

        The adapter keeps the session token; on 401 it drops it and raises SessionRefused, and the caller tries once
        more under a fresh REQUEST-ID. Raises GatewayRefused (code, call) for a refusal, Transient for 408, 429, 5xx
        and network failures, with ``retry_after`` where the gateway stated it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedPage:
    """One page as it goes to the requester (contract §2.11). Checksums are of the plaintexts, in entry order.

    Where ``links`` has a URL, it goes in the place of that entry's content; no links at all mean that all are pushed.
    """

    transaction_id: TransactionId
    number: int
    page_count: int
    references: tuple[str, ...]
    checksums: tuple[str, ...]
    sealed: SealedPage = field(repr=False)
    links: tuple[str | None, ...] = field(default=(), repr=False)


class Entropy(Protocol):
    def __call__(self, count: int) -> bytes:
        """So many random bytes, fit for secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtpMessage:
    """An OTP on its way to a telephone. ``phone`` is ten digits; ``text`` is what a person reads, OTP included."""

    hip_id: HipId
    facility_name: str
    phone: str = field(repr=False)
    otp: str = field(repr=False)
    text: str = field(repr=False)


class OtpSender(Protocol):
    async def send(self, message: OtpMessage) -> None:
        """Hand it over once, never twice. Raises OtpNotSent; whoever waits is told, and may ask for another."""


class Pusher(Protocol):
    def check(self, url: str) -> None:
        """Raises UnsafeUrl for an address that may never be called, as far as its text shows (PUSH-04)."""

    async def away(self, url: str) -> timedelta | None:
        """How long nothing will be sent to the host of ``url``, which kept failing; None when a push may be tried."""

    async def push(self, page: PushedPage, *, url: str, hiu_id: str | None) -> int:
        """POST one page to ``url``, verbatim. Returns the 2xx status.

        No token of ours goes along (PUSH-03), unless the operator named its host (contract §2.11).

        Raises PushRefused for an answer that will not change, UnsafeUrl, and Transient otherwise: CircuitOpen when
        nothing was sent because the host keeps failing.
        """


@runtime_checkable
class Bundles(Protocol):
    """The document store: collection ``Amrit_Resource``. It alone holds bundle bytes."""

    async def put(self, bundle: Bundle) -> None:
        """Store or replace by (key, version), durably (majority, journalled). At most 16 MiB."""

    async def put_all(self, bundles: Sequence[Bundle]) -> None:
        """``put`` for each, together; when it raises, some may be stored."""

    async def get(self, key: BundleKey, version: int) -> bytes | None:
        """The exact bytes that were put, or None."""

    async def issues(self, key: BundleKey, version: int) -> Sequence[Issue] | None:
        """What the validator found, as it was put; None for a version that never was."""


class Projections(Protocol):
    """AMRIT's three other collections, written from Postgres rows under the same keys; repeats change nothing."""

    async def put_gateway_response(
        self, hip_id: HipId, request_id: RequestId, *, path: str, sealed_body: bytes | None, now: datetime
    ) -> None:
        """``NDHMResponse``: a callback's raw body, sealed."""

    async def put_link_token(
        self,
        hip_id: HipId,
        request_id: RequestId,
        *,
        abha_address: AbhaAddress,
        sealed_token: bytes | None,
        error_code: str | None,
        now: datetime,
    ) -> None:
        """``GenerateLinkTokenResponse``."""

    async def put_patient_contexts(self, hip_id: HipId, patient: Patient, contexts: Sequence[CareContext]) -> None:
        """``PatientCareContexts``: one document per patient with every care context linked so far."""

    async def patient_contexts(self, hip_id: HipId, reference: str) -> Mapping[str, object] | None:
        """The stored document, for tests and operators."""


class TokenCache(Protocol):
    """Link tokens by (HIP, ABHA address) in front of Postgres. Losing it loses nothing."""

    async def get(self, hip_id: HipId, abha_address: AbhaAddress, *, now: datetime) -> LinkToken | None: ...
    async def put(self, token: LinkToken, *, now: datetime) -> None:
        """Kept sealed, and gone when the token expires."""

    async def drop(self, hip_id: HipId, abha_address: AbhaAddress) -> None: ...


class SessionCache(Protocol):
    """The gateway's session token, shared by processes: a worker forks for each batch and would ask anew each time.

    Losing it costs one call. Kept sealed (DATA-02).
    """

    async def get(self, *, now: datetime) -> tuple[str, datetime] | None:
        """The token and until when it is good, in UTC."""

    async def put(self, token: str, *, good_until: datetime, now: datetime) -> None: ...
    async def drop(self) -> None: ...


class CircuitMemory(Protocol):
    """The circuit of each host, shared by processes. Losing it closes them. Raises StorageFailed when it is away."""

    async def read(self, host: str, *, now: datetime) -> Circuit:
        """Closed, and nothing held against the host, when nothing is known (any more: ``Circuit.kept_until``)."""

    async def change(
        self, host: str, change: Callable[[Circuit], Circuit], *, now: datetime
    ) -> tuple[Circuit, Circuit]:
        """What was, and what ``change`` made of it, in one step: no other change comes between.

        ``change`` is called again when another process was quicker; only its last result counts.
        """


class JobQueue(Protocol):
    async def enqueue(self, rows: Sequence[OutboxRow]) -> None:
        """Wake a worker for leased rows of one topic. Ids and attempts only; the same batch twice is one job."""

    async def backlog(self) -> int:
        """How many batches nobody has begun; the relay holds back when they are many."""


class Composer(Protocol):
    def compose(self, record: VisitRecord, hi_type: HiType, *, facility: Facility, version: int = 1) -> bytes:
        """One FHIR document bundle as canonical UTF-8 JSON; the same record gives the same bytes."""


class Validator(Protocol):
    def validate(self, content: bytes) -> ValidationReport:
        """Every issue of the bundle; never raises for bad content."""


class Sealer(Protocol):
    def check(self, peer: KeyMaterial) -> None:
        """Raises KeyMaterialRefused unless point and nonce are usable (REL-14)."""

    def seal(self, plaintexts: Sequence[bytes], *, peer: KeyMaterial, expires_at: datetime) -> SealedPage:
        """Encrypt for ``peer`` under a fresh key pair and nonce (PUSH-01). Raises KeyMaterialRefused."""


class KeyVault(Protocol):
    """Seals what rests. ``context`` (tenant and record id) is authenticated, so a value fits only where it was put."""

    def seal(self, plaintext: bytes, *, context: str) -> bytes: ...
    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        """Raises Unsealable when the key is unknown, or value or context was changed."""


class VisitRecords(Protocol):
    """The JSON form of a visit record."""

    def read(self, content: bytes) -> VisitRecord:
        """Raises InvalidValue naming the field."""

    def write(self, record: VisitRecord) -> bytes:
        """Canonical bytes: equal records, equal bytes."""


class CallbackReader(Protocol):
    def read(self, path: str, body: bytes) -> GatewayEvent:
        """A stored callback in domain words, tolerant of every variant of the contract.

        Raises InvalidValue naming the field when what the flow needs is missing.
        """


class NameLikeness(Protocol):
    def __call__(self, one: str, other: str) -> float:
        """0 to 1; whatever their order, case, initials and honorifics."""


@runtime_checkable
class Facilities(Protocol):
    """The HIPs of this deployment: tenants, each with its own name."""

    def find(self, hip_id: str) -> Facility | None: ...
    def all(self) -> Sequence[Facility]: ...

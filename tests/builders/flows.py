"""A whole service in memory for tests of the flows: real use cases and adapters, with a scripted far side."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import count

from tests.builders.visits import CLINIC, a_visit

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.memory.otp import MemoryOtpSender
from hip.adapters.memory.token_cache import MemoryTokenCache
from hip.adapters.memory.units import MemoryDatabase
from hip.adapters.mongo.database import MongoDocuments
from hip.adapters.sealing.sealer import CryptographySealer
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.accounts import ChangeAccount
from hip.application.bundling import BuildBundle
from hip.application.consents import ReceiveConsent
from hip.application.context_notifies import NotifyContext
from hip.application.conversations import Conversations
from hip.application.decision_seals import SealDecisions
from hip.application.discovery import AnswerDiscovery, DiscoveryRules, SearchContexts
from hip.application.explanations import ExplainRelease
from hip.application.gateway_calls import GatewayCall, GatewayError, HealthInformationNotify
from hip.application.gateway_events import (
    ConsentNotified,
    Delivery,
    HealthInformationAsked,
    LinkAnswered,
    TokenAnswered,
)
from hip.application.intake import ReceiveVisit
from hip.application.link_batches import LinkBatch
from hip.application.link_confirms import AnswerLinkConfirm
from hip.application.link_inits import AnswerLinkInit, LinkingRules
from hip.application.link_results import AcceptLinkResult, AcceptNotify
from hip.application.link_tokens import AcceptToken
from hip.application.linking import LinkVisit
from hip.application.notifies import NotifyTransfer
from hip.application.ports import PushedPage
from hip.application.projections import Project
from hip.application.release import ReleaseGate
from hip.application.requests import ReceiveHealthInformationRequest
from hip.application.retries import RetryTransfer
from hip.application.shares import AnswerShare
from hip.application.sms import SendSmsLink
from hip.application.storage import OutboxRow, Topic, Units
from hip.application.sweeps import SweepConsents, SweepDeadlines
from hip.application.token_requests import RequestToken
from hip.application.transfers import PushTransfer
from hip.application.waiting_entries import FetchEntry, LeaveEntries, SweepEntries
from hip.application.waits import Waits
from hip.application.work import Handler, RunRows
from hip.domain.bundles import Issue, Severity, ValidationReport
from hip.domain.consents import ConsentArtefact, ConsentedContext, ConsentStatus, DateRange
from hip.domain.errors import GatewayRefused, HipError, UnsafeUrl
from hip.domain.exchanges import Flow
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    ConsentId,
    HipId,
    PatientReference,
    RequestId,
    TransactionId,
)
from hip.domain.key_material import KeyMaterial
from hip.domain.release_facts import ReleasePolicy
from hip.domain.transfers import HealthInformationRequest
from hip.domain.visits import VisitRecord
from hip.entrypoints.facilities import ConfiguredFacilities

HIP = CLINIC.hip_id
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
PEER = KeyMaterial(
    # The requester's key and nonce of the contract's first test vector (§3.7).
    public_key="BAheD5rUqTy4V5xR4/6HWmYpopu5CO+KO8BECS0udNqUTSNo91TIqIIy1A4Vh+F94c+n9vAcwXU2bGcfsI5f69Y=",
    nonce="6uj1RdDUbcpI3lVMZvijkMC8Te20O4Bcyz0SyivX8Eg=",
    expires_at=NOON + timedelta(days=30),
)


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclass
class ScriptedGateway:
    """Takes every call with 202 unless a refusal is queued for its flow; an account must name a care context."""

    calls: list[tuple[GatewayCall, RequestId]] = field(default_factory=list)
    refusals: dict[Flow, list[HipError]] = field(default_factory=dict)

    async def send(self, call: GatewayCall, *, hip_id: HipId, request_id: RequestId, now: datetime) -> int:
        self.calls.append((call, request_id))
        queued = self.refusals.get(call.flow)
        if queued:
            raise queued.pop(0)
        if isinstance(call, HealthInformationNotify) and not call.statuses:
            raise GatewayRefused(call=call.flow, code="ABDM-1006", status=400)
        return 202

    def of(self, flow: Flow) -> list[GatewayCall]:
        return [call for call, _ in self.calls if call.flow is flow]

    def last_id(self, flow: Flow) -> RequestId:
        return next(request_id for call, request_id in reversed(self.calls) if call.flow is flow)


@dataclass
class ScriptedPusher:
    """Takes every page unless an error is queued; ``before`` runs ahead of each push."""

    pages: list[PushedPage] = field(default_factory=list)
    errors: list[HipError] = field(default_factory=list)
    unsafe: bool = False
    pause: timedelta | None = None

    def check(self, url: str) -> None:
        if self.unsafe:
            raise UnsafeUrl("dataPushUrl: expected a public https address")

    async def away(self, url: str) -> timedelta | None:
        return self.pause

    async def push(self, page: PushedPage, *, url: str, hiu_id: str | None) -> int:
        if self.errors:
            raise self.errors.pop(0)
        self.pages.append(page)
        return 202


@dataclass
class SettableValidator:
    """Finds every bundle valid, or, once told so, invalid."""

    valid: bool = True

    def validate(self, content: bytes) -> ValidationReport:
        if self.valid:
            return ValidationReport()
        issue = Issue(
            severity=Severity.ERROR,
            rule="min",
            profile="",
            path="Bundle",
            found="",
            expected="",
            message="",
            fix="",
        )
        return ValidationReport(issues=(issue,))


def _exactly(one: str, other: str) -> float:
    return float(one == other)


@dataclass(frozen=True, slots=True)
class Stores:
    """Real ones, in place of those in memory."""

    units: Units
    documents: MongoDocuments


class House:
    """The service, its clock, and the far side; on ``stores``, when a test has some."""

    def __init__(
        self,
        *,
        link_above: int = 10**9,
        stores: Stores | None = None,
        sealer: CryptographySealer | None = None,
        facilities: tuple[Facility, ...] = (CLINIC,),
    ) -> None:
        numbers = count(1)
        self.clock = SetClock()
        self.ids: Callable[[], str] = lambda: f"00000000-0000-4000-8000-{next(numbers):012d}"
        self.database = MemoryDatabase()
        self.units: Units = self.database.unit if stores is None else stores.units
        self.documents = MemoryDocuments()
        documents = self.documents if stores is None else stores.documents
        self.vault = MemoryKeyVault()
        self.tokens = MemoryTokenCache()
        self.gateway = ScriptedGateway()
        self.pusher = ScriptedPusher()
        self.validator = SettableValidator()
        self.records = JsonVisitRecords()
        self.waits = Waits.scaled(0.001)
        self.reports: list[tuple[str, str]] = []
        self.alarms: list[tuple[str, str, str]] = []
        self.facilities = ConfiguredFacilities(facilities)
        talk = Conversations(self.units, self.gateway, self.clock, self.ids, self.waits)
        self.conversations = talk
        sealer = sealer or CryptographySealer()
        self.receive_visit = ReceiveVisit(self.units, self.records, self.facilities, self.clock)
        self.link_visit = LinkVisit(
            self.units,
            self.tokens,
            RequestToken(self.units, talk, self.clock, self.waits),
            LinkBatch(self.units, self.tokens, talk, self.clock, self.waits),
            self.clock,
            self.ids,
        )
        self.accept_token = AcceptToken(self.units, self.tokens, self.clock, self.waits)
        self.accept_link_result = AcceptLinkResult(self.units, self.tokens, self.clock, self.waits)
        self.accept_notify = AcceptNotify(self.units, self.clock, self.waits)
        self.search_contexts = SearchContexts(self.units, self.facilities, _exactly, self.clock, DiscoveryRules())
        self.answer_discovery = AnswerDiscovery(self.search_contexts, talk)
        self.otp_sender = MemoryOtpSender()
        self.answer_link_init = AnswerLinkInit(
            self.units,
            talk,
            self.otp_sender,
            self.facilities,
            self.clock,
            self.ids,
            lambda size: blake2b(next(numbers).to_bytes(8, "big"), digest_size=size).digest(),
            LinkingRules(),
        )
        self.answer_link_confirm = AnswerLinkConfirm(self.units, talk, self.clock)
        self.answer_share = AnswerShare(self.units, talk, self.facilities, self.clock)
        self.change_account = ChangeAccount(self.units, self.tokens, self.clock)
        self.receive_consent = ReceiveConsent(self.units, talk, self.clock, self.waits, self._alarm)
        self.receive_request = ReceiveHealthInformationRequest(self.units, self.clock, self.waits)
        self.policy = ReleasePolicy(consent_manager="sbx")
        self.gate = ReleaseGate(sealer, self.pusher, self.policy)
        self.retry_transfer = RetryTransfer(self.units, self.clock, self.waits, self.gate)
        self.seal_decisions = SealDecisions(self.units, self.facilities, self.clock)
        self.explain_release = ExplainRelease(self.units, self.clock)
        self.build_bundle = BuildBundle(
            self.units, documents, FhirComposer(), self.validator, self.facilities, self.clock
        )
        self.sweep_consents = SweepConsents(self.units, self.clock)
        self.sweep_deadlines = SweepDeadlines(self.units, self.clock, self._alarm)
        self.push_transfer = PushTransfer(
            self.units,
            talk,
            NotifyTransfer(self.units, talk, self.clock),
            self.gate,
            documents,
            self.build_bundle,
            sealer,
            self.pusher,
            self.clock,
            self.waits,
            self._alarm,
            4,
            lambda content: hashlib.md5(content, usedforsecurity=False).hexdigest(),
            lambda: 0.5,
            LeaveEntries(
                units=self.units,
                clock=self.clock,
                ids=self.ids,
                entropy=lambda size: blake2b(next(numbers).to_bytes(8, "big"), digest_size=size).digest(),
                above=link_above,
                url="https://hip.example.org",
            ),
        )
        self.fetch_entry = FetchEntry(self.units, self.gate, self.clock, self.waits.entry_kept)
        self.sweep_entries = SweepEntries(self.units, self.clock, self.waits.entry_kept)
        self.handlers: dict[Topic, Handler] = {
            Topic.BUNDLE: self.build_bundle,
            Topic.LINK: self.link_visit,
            Topic.SMS: SendSmsLink(self.units, talk, self.facilities, self.clock, self.ids),
            Topic.NOTIFY: NotifyContext(self.units, talk, self.clock, self.waits),
            Topic.TRANSFER: self.push_transfer,
            Topic.PROJECTION: Project(self.units, documents, self.vault, self.clock),
        }
        self.run_rows = RunRows(self.units, self.handlers, self.clock, self.waits, lambda: 0.5, self._report)

    def _report(self, event: str, *, topic: str, row: int, attempt: int, error: str) -> None:
        self.reports.append((event, error))

    def _alarm(self, event: str, *, hip_id: HipId, subject: str, detail: str = "") -> None:
        self.alarms.append((event, subject, detail))

    async def work(self) -> None:
        """Run everything that is due, and what that causes, until nothing is."""
        while rows := await self.lease():
            await self.run_rows([(row.id, row.attempt) for row in rows])

    async def lease(self) -> Sequence[OutboxRow]:
        async with self.units() as uow:
            rows = await uow.outbox.lease(now=self.clock(), until=self.clock() + self.waits.lease, limit=50)
            await uow.commit()
        return rows

    async def take_in(self, record: VisitRecord | None = None) -> VisitRecord:
        record = record or a_visit()
        await self.receive_visit(self.records.write(record), actor="test")
        return record

    def delivery(self, request_id: str = "11111111-0000-4000-8000-000000000001") -> Delivery:
        return Delivery(hip_id=HIP, request_id=RequestId(request_id), received_at=self.clock())

    async def answer_token(self, token: str | None = "a.b.c", code: str | None = None) -> None:
        error = GatewayError(code=code, message="") if code else None
        answers = self.gateway.last_id(Flow.GENERATE_TOKEN)
        await self.accept_token(self.delivery(), TokenAnswered(answers=answers, token=token, error=error))

    async def answer_link(self, code: str | None = None) -> None:
        error = GatewayError(code=code, message="") if code else None
        answers = self.gateway.last_id(Flow.LINK_CARE_CONTEXT)
        await self.accept_link_result(self.delivery(), LinkAnswered(answers=answers, error=error))

    async def link(self, record: VisitRecord | None = None) -> VisitRecord:
        """A visit, built, linked and confirmed."""
        record = await self.take_in(record)
        await self.work()
        if not self.gateway.of(Flow.LINK_CARE_CONTEXT):
            await self.answer_token()
            await self.work()
        await self.answer_link()
        await self.work()
        return record

    async def grant(self, artefact: ConsentArtefact) -> None:
        await self.receive_consent(
            self.delivery(f"consent-{artefact.consent_id}"),
            ConsentNotified(
                consent_id=artefact.consent_id,
                status=ConsentStatus.GRANTED,
                artefact=artefact,
                artefact_hash="0" * 64,
                signed=True,
            ),
        )

    async def end_consent(self, consent_id: str, status: ConsentStatus = ConsentStatus.REVOKED) -> None:
        await self.receive_consent(
            self.delivery(f"end-{consent_id}"),
            ConsentNotified(
                consent_id=ConsentId(consent_id), status=status, artefact=None, artefact_hash=None, signed=False
            ),
        )

    async def ask(self, artefact: ConsentArtefact, *, transaction: str = "t-1", asked: DateRange | None = None) -> None:
        await self.receive_request(
            self.delivery(f"request-{transaction}"),
            HealthInformationAsked(
                transaction_id=TransactionId(transaction),
                consent_id=artefact.consent_id,
                request=HealthInformationRequest(
                    date_range=asked or artefact.date_range,
                    data_push_url="https://hiu.example.org/v3/transfer/",
                    key_material=PEER,
                ),
            ),
        )


def an_artefact(*references: tuple[str, str], **changes: object) -> ConsentArtefact:
    """A consent of Meera's for her visit 88120, all HI types, all of 2026; then ``changes``."""
    values: dict[str, object] = {
        "consent_id": ConsentId("7a1d0c3e-6f2b-4f08-8f5e-1b9d2c7a4e60"),
        "hip_id": HIP,
        "hiu_id": "HIU-1",
        "patient": AbhaAddress("meera.k01@sbx"),
        "care_contexts": tuple(
            ConsentedContext(
                patient_reference=PatientReference(patient),
                care_context_reference=CareContextReference(context),
            )
            for patient, context in references or (("PAT-20417", "88120"),)
        ),
        "hi_types": frozenset(HiType),
        "purpose": "CAREMGT",
        "access_mode": "VIEW",
        "date_range": DateRange(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 12, 31, tzinfo=UTC)),
        "data_erase_at": NOON + timedelta(days=30),
    }
    return ConsentArtefact(**{**values, **changes})  # type: ignore[arg-type]

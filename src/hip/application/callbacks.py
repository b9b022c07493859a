"""Flow: a callback is stored before anything reads it, acknowledged, and worked on later (CB-04, CB-06)."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from hip.application.accounts import ChangeAccount
from hip.application.consents import ReceiveConsent
from hip.application.discovery import AnswerDiscovery
from hip.application.gateway_events import (
    AccountChanged,
    ConsentNotified,
    Delivery,
    DiscoveryAsked,
    GatewayEvent,
    HealthInformationAsked,
    LinkAnswered,
    LinkConfirmAsked,
    LinkInitAsked,
    NotifyAnswered,
    ProfileShared,
    TokenAnswered,
    Unrecognised,
)
from hip.application.inbox import Inbox
from hip.application.link_confirms import AnswerLinkConfirm
from hip.application.link_inits import AnswerLinkInit
from hip.application.link_results import AcceptLinkResult, AcceptNotify
from hip.application.link_tokens import AcceptToken
from hip.application.ports import CallbackReader, Clock, Ids, KeyVault
from hip.application.requests import ReceiveHealthInformationRequest
from hip.application.shares import AnswerShare
from hip.application.storage import Topic, Units
from hip.domain.audit import AuditEntry
from hip.domain.callbacks import Callback, CallbackId, CallbackState, Receipt
from hip.domain.errors import Conflict, DomainError, NotFound
from hip.domain.identifiers import HipId, RequestId


def seal_context(hip_id: HipId, callback_id: CallbackId) -> str:
    """What a stored raw body is bound to: it opens for its own row only."""
    return f"callbacks/{hip_id}/{callback_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedCallback:
    """One HTTP delivery as the edge saw it. ``headers`` are names and value lengths.

    ``late`` and ``requester`` are as in Callback.
    """

    hip_id: HipId
    path: str
    request_id: RequestId
    body: bytes
    headers: tuple[tuple[str, int], ...]
    verified: bool
    late: bool = False
    requester: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiveCallback:
    """One transaction writes the callback and its outbox row; then, and only then, 202."""

    units: Units
    inbox: Inbox
    vault: KeyVault
    clock: Clock
    ids: Ids

    async def __call__(self, received: ReceivedCallback) -> bool:
        """False for a repeat. Raises Conflict for the same id with another body, StorageFailed (answer 503)."""
        now = self.clock()
        callback_id = CallbackId(self.ids())
        callback = Callback(
            id=callback_id,
            hip_id=received.hip_id,
            path=received.path,
            request_id=received.request_id,
            received_at=now,
            body_hash=hashlib.sha256(received.body).hexdigest(),
            sealed_body=self.vault.seal(received.body, context=seal_context(received.hip_id, callback_id)),
            headers=received.headers,
            verified=received.verified,
            late=received.late,
            requester=received.requester,
        )
        receipt = await self.inbox.put(callback)
        if receipt is Receipt.CONFLICT:
            raise Conflict("a callback with this REQUEST-ID was received with another body")
        return receipt is Receipt.STORED

    async def reject(self, received: ReceivedCallback, error: str) -> None:
        """Keep a hash of what was refused at the edge, so that a missing callback can be explained."""
        now = self.clock()
        async with self.units() as uow:
            await uow.callbacks.add(
                Callback(
                    id=CallbackId(self.ids()),
                    hip_id=received.hip_id,
                    path=received.path,
                    # Refused deliveries may lack an id or repeat one: theirs is made unique by our own.
                    request_id=RequestId(f"rejected-{self.ids()}"),
                    received_at=now,
                    body_hash=hashlib.sha256(received.body).hexdigest(),
                    sealed_body=None,
                    headers=received.headers,
                    verified=received.verified,
                    state=CallbackState.REJECTED,
                    finished_at=now,
                    error=error,
                )
            )
            await uow.commit()


@dataclass(frozen=True, slots=True)
class ProcessCallback:
    """The worker's side: open, read, and hand to the one flow that listens."""

    units: Units
    vault: KeyVault
    reader: CallbackReader
    accept_token: AcceptToken
    accept_link_result: AcceptLinkResult
    accept_notify: AcceptNotify
    answer_discovery: AnswerDiscovery
    answer_link_init: AnswerLinkInit
    answer_link_confirm: AnswerLinkConfirm
    answer_share: AnswerShare
    receive_consent: ReceiveConsent
    receive_request: ReceiveHealthInformationRequest
    change_account: ChangeAccount
    clock: Clock

    async def __call__(self, hip_id: HipId, key: str) -> None:
        """Run callback ``key``. What its flow refuses is kept on the row as an error; Transient is raised."""
        async with self.units() as uow:
            callback = await uow.callbacks.get(hip_id, CallbackId(key))
        if callback is None:
            raise NotFound("callback", key)
        if callback.sealed_body is None:
            if callback.state is CallbackState.RECEIVED:
                await self._run_cut(callback)
            return
        body = self.vault.unseal(callback.sealed_body, context=seal_context(hip_id, callback.id))
        try:
            event = self.reader.read(callback.path, body)
            await self._hand_over(event, callback)
        except DomainError as refusal:
            await self._finish(callback.failed(f"{refusal.code} {refusal}", now=self.clock()))
            return
        now = self.clock()
        ended = callback.unknown(now=now) if isinstance(event, Unrecognised) else callback.done(now=now)
        await self._finish(ended)

    async def _run_cut(self, callback: Callback) -> None:
        """RET-01: its consent ended, by this notice itself or while it was being answered, and took the body along."""
        async with self.units() as uow:
            consent_id = await uow.callbacks.subject(callback.hip_id, callback.id)
        if consent_id is None:
            await self._finish(callback.failed("its consent ended before it was run", now=self.clock()))
            return
        await self.receive_consent.answer_again(_delivery(callback), consent_id)
        await self._finish(callback.done(now=self.clock()))

    async def _hand_over(self, event: GatewayEvent, callback: Callback) -> None:
        delivery = _delivery(callback)
        match event:
            case TokenAnswered():
                await self.accept_token(delivery, event)
            case LinkAnswered():
                await self.accept_link_result(delivery, event)
            case NotifyAnswered():
                await self.accept_notify(delivery, event)
            case DiscoveryAsked():
                await self.answer_discovery(delivery, event)
            case LinkInitAsked():
                await self.answer_link_init(delivery, event)
            case LinkConfirmAsked():
                await self.answer_link_confirm(delivery, event)
            case ProfileShared():
                await self.answer_share(delivery, event)
            case ConsentNotified():
                await self.receive_consent(delivery, event)
            case HealthInformationAsked():
                await self.receive_request(delivery, event)
            case AccountChanged():
                await self.change_account(delivery, event)
            case Unrecognised():
                pass

    async def _finish(self, callback: Callback) -> None:
        async with self.units() as uow:
            await uow.callbacks.save(callback)
            await uow.outbox.add(callback.hip_id, Topic.PROJECTION, f"callback|{callback.id}", run_at=self.clock())
            await uow.commit()


def _delivery(callback: Callback) -> Delivery:
    return Delivery(
        hip_id=callback.hip_id,
        request_id=callback.request_id,
        received_at=callback.received_at,
        callback_id=callback.id,
        requester=callback.requester,
    )


@dataclass(frozen=True, slots=True)
class ReplayCallback:
    """An operator runs a stored callback again; every flow is safe to repeat."""

    units: Units
    clock: Clock

    async def __call__(self, hip_id: HipId, callback_id: CallbackId, *, actor: str) -> Callback:
        """Raises NotFound, and DomainError when only the hash was kept."""
        async with self.units() as uow:
            callback = await uow.callbacks.get(hip_id, callback_id)
            if callback is None:
                raise NotFound("callback", callback_id)
            if callback.sealed_body is None:
                raise DomainError("only the hash of this callback was kept: it cannot be run again")
            now = self.clock()
            await uow.outbox.add(hip_id, Topic.CALLBACK, callback_id, run_at=now)
            await uow.audit.append(
                AuditEntry(
                    hip_id=hip_id,
                    at=now,
                    actor=actor,
                    action="callback-replayed",
                    subject=callback_id,
                    detail=(("state", callback.state),),
                )
            )
            await uow.commit()
        return callback


def header_lengths(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, int], ...]:
    """Names in lower case with the length of each value: enough to explain, nothing to leak (CB-06)."""
    return tuple((name.lower(), len(value)) for name, value in headers)


def is_late(timestamp: datetime | None, *, now: datetime, skew_seconds: int = 600) -> bool:
    """CB-04: a TIMESTAMP that is missing, unreadable or more than ten minutes off."""
    return timestamp is None or abs((now - timestamp).total_seconds()) > skew_seconds

"""Every operation of a unit of work, by name, on things that need not exist."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.builders.consents import a_consent
from tests.builders.conversations import a_callback, an_audit_entry, an_exchange
from tests.builders.decisions import a_decision
from tests.builders.links import (
    HIP,
    MEERA_ADDRESS,
    a_care_context,
    a_discovery,
    a_link_attempt,
    a_link_request,
    a_link_token,
)
from tests.builders.moments import NOW, SECOND
from tests.builders.shares import a_queue_token
from tests.builders.stored_visits import a_bundle_key, a_bundle_record, a_stored_visit, a_trigger
from tests.builders.transfers import a_page, a_transfer, a_waiting_entry
from tests.builders.visits import MEERA

from hip.application.bundle_storage import ReceivedSpan
from hip.application.lost_work import Lost, Waiting
from hip.application.storage import Listing, Topic, UnitOfWork, Work
from hip.domain.callbacks import CallbackId
from hip.domain.discovery import PatientIdentifiers
from hip.domain.exchanges import ExchangeId, Flow
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    CareContextReference,
    ConsentId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)

Operation = Callable[[UnitOfWork], Awaitable[Any]]
_REQUEST, _VISIT, _TRANSACTION = RequestId("r"), VisitCode("88120"), TransactionId("t")
_CONSENT, _PATIENT, _CONTEXT = ConsentId("c"), PatientReference("p"), CareContextReference("88120")
_MOBILE = PatientIdentifiers(mobiles=frozenset({"9876543210"}))
_ALL = Listing()
_SPAN = ReceivedSpan(since=NOW, until=NOW + SECOND)
_LOST = Lost(hip_id=HIP, topic=Topic.CALLBACK, key="callback-1", state="received", place=())


async def _appended(uow: UnitOfWork) -> None:
    """An entry may wait for the commit, or for whoever reads the audit, before the store hears of it."""
    await uow.audit.append(an_audit_entry())
    await uow.audit.head(HIP)


OPERATIONS: dict[str, Operation] = {
    "outbox.add": lambda uow: uow.outbox.add(HIP, Topic.LINK, "88120", run_at=NOW),
    "outbox.add_all": lambda uow: uow.outbox.add_all([Work(hip_id=HIP, topic=Topic.LINK, key="88120", run_at=NOW)]),
    "outbox.lease": lambda uow: uow.outbox.lease(now=NOW, until=NOW + SECOND, limit=1),
    "outbox.current": lambda uow: uow.outbox.current(1, 1),
    "outbox.held": lambda uow: uow.outbox.held([(1, 1)]),
    "outbox.renew": lambda uow: uow.outbox.renew([1], until=NOW),
    "outbox.done": lambda uow: uow.outbox.done(1, 1),
    "outbox.done_all": lambda uow: uow.outbox.done_all([(1, 1)]),
    "outbox.give_back": lambda uow: uow.outbox.give_back([(1, 1)], run_at=NOW),
    "outbox.defer": lambda uow: uow.outbox.defer(1, 1, run_at=NOW),
    "outbox.bury": lambda uow: uow.outbox.bury(1, 1),
    "outbox.get": lambda uow: uow.outbox.get(HIP, 1),
    "outbox.list": lambda uow: uow.outbox.list(Listing()),
    "outbox.cancel": lambda uow: uow.outbox.cancel(HIP, 1),
    "outbox.hurry": lambda uow: uow.outbox.hurry(HIP, Topic.TRANSFER, "t", run_at=NOW),
    "outbox.undecided": lambda uow: uow.outbox.undecided(HIP, Topic.TRANSFER, "t"),
    "outbox.waiting": lambda uow: uow.outbox.waiting(),
    "callbacks.add": lambda uow: uow.callbacks.add(a_callback()),
    "callbacks.add_all": lambda uow: uow.callbacks.add_all([a_callback()]),
    "callbacks.get": lambda uow: uow.callbacks.get(HIP, CallbackId("callback-1")),
    "callbacks.save": lambda uow: uow.callbacks.save(a_callback()),
    "callbacks.subject": lambda uow: uow.callbacks.subject(HIP, CallbackId("callback-1")),
    "callbacks.about": lambda uow: uow.callbacks.about(HIP, CallbackId("callback-1"), _CONSENT),
    "callbacks.cut": lambda uow: uow.callbacks.cut(HIP, _CONSENT),
    "callbacks.overdue": lambda uow: uow.callbacks.overdue(before=NOW),
    "callbacks.list": lambda uow: uow.callbacks.list(_ALL),
    "exchanges.save": lambda uow: uow.exchanges.save(an_exchange()),
    "exchanges.get": lambda uow: uow.exchanges.get(HIP, ExchangeId("exchange-1")),
    "exchanges.lock_by_request_id": lambda uow: uow.exchanges.lock_by_request_id(HIP, _REQUEST),
    "exchanges.lock_latest": lambda uow: uow.exchanges.lock_latest(HIP, Flow.ON_INIT, "t"),
    "exchanges.lapsed": lambda uow: uow.exchanges.lapsed(now=NOW, limit=1),
    "exchanges.refused_lately": lambda uow: uow.exchanges.refused_lately({"ABDM-1016"}, since=NOW),
    "exchanges.forget": lambda uow: uow.exchanges.forget(HIP, Flow.GENERATE_TOKEN, "k", alias="a"),
    "exchanges.requests_since": lambda uow: uow.exchanges.requests_since(HIP, Flow.ON_INIT, "t", NOW),
    "exchanges.list": lambda uow: uow.exchanges.list(_ALL),
    "link_tokens.put": lambda uow: uow.link_tokens.put(a_link_token(), request_id=_REQUEST, now=NOW),
    "link_tokens.put_refusal": lambda uow: uow.link_tokens.put_refusal(
        HIP, MEERA_ADDRESS, "ABDM-1207", request_id=_REQUEST, now=NOW
    ),
    "link_tokens.current": lambda uow: uow.link_tokens.current(HIP, MEERA_ADDRESS, now=NOW),
    "link_tokens.answer": lambda uow: uow.link_tokens.answer(HIP, _REQUEST),
    "link_tokens.drop": lambda uow: uow.link_tokens.drop(HIP, MEERA_ADDRESS),
    "link_tokens.forget": lambda uow: uow.link_tokens.forget(HIP, MEERA_ADDRESS, alias=MEERA_ADDRESS),
    "link_requests.save": lambda uow: uow.link_requests.save(a_link_request()),
    "link_requests.lock_by_visit": lambda uow: uow.link_requests.lock_by_visit(HIP, _VISIT),
    "link_requests.by_reference": lambda uow: uow.link_requests.by_reference(HIP, LinkReference("l")),
    "link_requests.by_request_id": lambda uow: uow.link_requests.by_request_id(HIP, _REQUEST),
    "link_requests.of_address": lambda uow: uow.link_requests.of_address(HIP, MEERA_ADDRESS),
    "link_requests.awaiting_token": lambda uow: uow.link_requests.awaiting_token(HIP, MEERA_ADDRESS),
    "link_requests.led_by": lambda uow: uow.link_requests.led_by(HIP, _VISIT),
    "link_requests.list": lambda uow: uow.link_requests.list(_ALL),
    "care_contexts.save": lambda uow: uow.care_contexts.save(a_care_context()),
    "care_contexts.lock": lambda uow: uow.care_contexts.lock(HIP, _CONTEXT),
    "care_contexts.get": lambda uow: uow.care_contexts.get(HIP, _CONTEXT),
    "care_contexts.several": lambda uow: uow.care_contexts.several(HIP, [_CONTEXT]),
    "care_contexts.lock_several": lambda uow: uow.care_contexts.lock_several(HIP, [_CONTEXT]),
    "care_contexts.save_all": lambda uow: uow.care_contexts.save_all([a_care_context()]),
    "care_contexts.add_missing": lambda uow: uow.care_contexts.add_missing([a_care_context()]),
    "care_contexts.unlinked": lambda uow: uow.care_contexts.unlinked(HIP, _PATIENT, per_hi_type=1),
    "care_contexts.of_patient": lambda uow: uow.care_contexts.of_patient(HIP, _PATIENT),
    "care_contexts.linked_to": lambda uow: uow.care_contexts.linked_to(HIP, MEERA_ADDRESS),
    "care_contexts.list": lambda uow: uow.care_contexts.list(_ALL),
    "patients.save": lambda uow: uow.patients.save(MEERA, hip_id=HIP),
    "patients.save_all": lambda uow: uow.patients.save_all([MEERA], hip_id=HIP),
    "patients.lock_several": lambda uow: uow.patients.lock_several(HIP, [_PATIENT]),
    "patients.add_missing": lambda uow: uow.patients.add_missing([MEERA], hip_id=HIP),
    "patients.get": lambda uow: uow.patients.get(HIP, _PATIENT),
    "patients.several": lambda uow: uow.patients.several(HIP, [_PATIENT]),
    "patients.candidates": lambda uow: uow.patients.candidates(HIP, _MOBILE, limit=1),
    "patients.of_closed_account": lambda uow: uow.patients.of_closed_account(HIP, "account"),
    "visits.save": lambda uow: uow.visits.save(a_stored_visit()),
    "visits.save_all": lambda uow: uow.visits.save_all([a_stored_visit()]),
    "visits.add_missing": lambda uow: uow.visits.add_missing([a_stored_visit()]),
    "visits.known": lambda uow: uow.visits.known(HIP, [_VISIT]),
    "visits.lock_known": lambda uow: uow.visits.lock_known(HIP, [_VISIT]),
    "visits.lock": lambda uow: uow.visits.lock(HIP, _VISIT),
    "visits.get": lambda uow: uow.visits.get(HIP, _VISIT),
    "visits.several": lambda uow: uow.visits.several(HIP, [_VISIT]),
    "visits.lock_versions": lambda uow: uow.visits.lock_versions(HIP, [_VISIT]),
    "visits.sizes": lambda uow: uow.visits.sizes(HIP, [_VISIT]),
    "visits.received": lambda uow: uow.visits.received(HIP, _SPAN, limit=1),
    "visits.count_received": lambda uow: uow.visits.count_received(HIP, _SPAN),
    "visits.raise_versions": lambda uow: uow.visits.raise_versions(HIP, [_VISIT]),
    "visits.list": lambda uow: uow.visits.list(_ALL),
    "triggers.save": lambda uow: uow.triggers.save(a_trigger()),
    "triggers.save_all": lambda uow: uow.triggers.save_all([a_trigger()]),
    "triggers.get": lambda uow: uow.triggers.get(HIP, _VISIT),
    "triggers.processed": lambda uow: uow.triggers.processed(HIP, [_VISIT]),
    "triggers.process": lambda uow: uow.triggers.process(HIP, [_VISIT], now=NOW),
    "bundles.add_all": lambda uow: uow.bundles.add_all([a_bundle_record()]),
    "bundles.of_visits": lambda uow: uow.bundles.of_visits(HIP, [_VISIT]),
    "bundles.add": lambda uow: uow.bundles.add(a_bundle_record()),
    "bundles.of_visit": lambda uow: uow.bundles.of_visit(HIP, _VISIT),
    "bundles.servable": lambda uow: uow.bundles.servable(a_bundle_key()),
    "bundles.servable_types": lambda uow: uow.bundles.servable_types(HIP, _VISIT),
    "bundles.servable_of": lambda uow: uow.bundles.servable_of(HIP, [_VISIT]),
    "bundles.list": lambda uow: uow.bundles.list(_ALL),
    "bundle_jobs.ask": lambda uow: uow.bundle_jobs.ask(HIP, _VISIT, [HiType.PRESCRIPTION], version=1, now=NOW),
    "bundle_jobs.ask_all": lambda uow: uow.bundle_jobs.ask_all({a_bundle_key(): 1}, now=NOW),
    "bundle_jobs.begin": lambda uow: uow.bundle_jobs.begin([a_bundle_key()], now=NOW),
    "bundle_jobs.finish": lambda uow: uow.bundle_jobs.finish([a_bundle_record()], now=NOW),
    "bundle_jobs.fail": lambda uow: uow.bundle_jobs.fail(a_bundle_key(), error="x", next_run_at=None, now=NOW),
    "bundle_jobs.get": lambda uow: uow.bundle_jobs.get(a_bundle_key()),
    "bundle_jobs.of_visit": lambda uow: uow.bundle_jobs.of_visit(HIP, _VISIT),
    "bundle_jobs.list": lambda uow: uow.bundle_jobs.list(_ALL),
    "discoveries.add": lambda uow: uow.discoveries.add(a_discovery()),
    "discoveries.asked_since": lambda uow: uow.discoveries.asked_since(HIP, MEERA_ADDRESS, NOW, beside=_TRANSACTION),
    "discoveries.get": lambda uow: uow.discoveries.get(HIP, _TRANSACTION),
    "discoveries.lock": lambda uow: uow.discoveries.lock(HIP, _TRANSACTION),
    "discoveries.forget": lambda uow: uow.discoveries.forget(HIP, MEERA_ADDRESS, alias=MEERA_ADDRESS),
    "shares.lock_current": lambda uow: uow.shares.lock_current(HIP, "counter1", MEERA_ADDRESS, now=NOW),
    "shares.last_number": lambda uow: uow.shares.last_number(HIP, "counter1", NOW.date()),
    "shares.add": lambda uow: uow.shares.add(a_queue_token()),
    "shares.forget": lambda uow: uow.shares.forget(HIP, MEERA_ADDRESS, alias=MEERA_ADDRESS),
    "shares.list": lambda uow: uow.shares.list(_ALL),
    "link_attempts.save": lambda uow: uow.link_attempts.save(a_link_attempt()),
    "link_attempts.get": lambda uow: uow.link_attempts.get(HIP, LinkReference("l")),
    "link_attempts.lock": lambda uow: uow.link_attempts.lock(HIP, LinkReference("l")),
    "link_attempts.lock_latest": lambda uow: uow.link_attempts.lock_latest(HIP, _TRANSACTION),
    "link_attempts.lapsed": lambda uow: uow.link_attempts.lapsed(before=NOW, limit=1),
    "link_attempts.forget": lambda uow: uow.link_attempts.forget(HIP, MEERA_ADDRESS, alias=MEERA_ADDRESS),
    "link_attempts.otps_since": lambda uow: uow.link_attempts.otps_since(HIP, "number", NOW),
    "consents.save": lambda uow: uow.consents.save(a_consent()),
    "consents.lock": lambda uow: uow.consents.lock(HIP, _CONSENT),
    "consents.get": lambda uow: uow.consents.get(HIP, _CONSENT),
    "consents.of_patient": lambda uow: uow.consents.of_patient(HIP, MEERA_ADDRESS),
    "consents.lock_again": lambda uow: uow.consents.lock_again(a_consent()),
    "consents.spent": lambda uow: uow.consents.spent(now=NOW, limit=1),
    "consents.list": lambda uow: uow.consents.list(_ALL),
    "transfers.add": lambda uow: uow.transfers.add(a_transfer()),
    "transfers.lock": lambda uow: uow.transfers.lock(HIP, _TRANSACTION),
    "transfers.get": lambda uow: uow.transfers.get(HIP, _TRANSACTION),
    "transfers.save": lambda uow: uow.transfers.save(a_transfer()),
    "transfers.open_of_consent": lambda uow: uow.transfers.open_of_consent(HIP, _CONSENT),
    "transfers.earlier": lambda uow: uow.transfers.earlier(a_transfer(), since=NOW),
    "transfers.alerting": lambda uow: uow.transfers.alerting(now=NOW, limit=1),
    "transfers.close_pages": lambda uow: uow.transfers.close_pages(HIP, _TRANSACTION, "x", now=NOW),
    "transfers.list": lambda uow: uow.transfers.list(_ALL),
    "transfers.add_pages": lambda uow: uow.transfers.add_pages([a_page()]),
    "transfers.lock_page": lambda uow: uow.transfers.lock_page(HIP, _TRANSACTION, 1),
    "transfers.save_page": lambda uow: uow.transfers.save_page(a_page()),
    "transfers.lock_pages": lambda uow: uow.transfers.lock_pages(HIP, _TRANSACTION, [1]),
    "transfers.save_pages": lambda uow: uow.transfers.save_pages(HIP, _TRANSACTION, [a_page()]),
    "transfers.pending_pages": lambda uow: uow.transfers.pending_pages(HIP, _TRANSACTION, limit=1),
    "transfers.pages": lambda uow: uow.transfers.pages(HIP, _TRANSACTION),
    "waiting_entries.add": lambda uow: uow.waiting_entries.add(a_waiting_entry()),
    "waiting_entries.find": lambda uow: uow.waiting_entries.find("entry-1"),
    "waiting_entries.remove": lambda uow: uow.waiting_entries.remove(HIP, "entry-1"),
    "waiting_entries.remove_of_consent": lambda uow: uow.waiting_entries.remove_of_consent(HIP, _CONSENT),
    "waiting_entries.remove_older": lambda uow: uow.waiting_entries.remove_older(than=NOW, limit=1),
    "decisions.append": lambda uow: uow.decisions.append(a_decision()),
    "decisions.append_all": lambda uow: uow.decisions.append_all([a_decision()]),
    "decisions.list": lambda uow: uow.decisions.list(_ALL),
    "decisions.numbered": lambda uow: uow.decisions.numbered(HIP, after=0, limit=1),
    "decisions.tally": lambda uow: uow.decisions.tally(HIP, _CONSENT),
    "lost_work.look": lambda uow: uow.lost_work.look(Waiting.VISIT, behind=None, before=NOW, since=NOW, limit=1),
    "lost_work.take": lambda uow: uow.lost_work.take(Waiting.CALLBACK, [_LOST], before=NOW, now=NOW),
    "audit.append": _appended,
    "audit.list": lambda uow: uow.audit.list(_ALL),
    "audit.chain": lambda uow: uow.audit.chain(HIP, after=0, limit=1),
    "audit.head": lambda uow: uow.audit.head(HIP),
    "audit.chained": lambda uow: uow.audit.chained(),
    "audit.latest": lambda uow: uow.audit.latest(HIP, "link"),
}

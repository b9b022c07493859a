"""Every flow as a provider: the part of the graph that HTTP, command line, worker and relay call (style.md §5)."""

from typing import Any

from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import DependenciesContainer, Dependency, Dict, List, Object, Singleton

from hip.application.audit import NoteConfiguration
from hip.application.bridges import LookAfterBridge
from hip.application.bundling import BuildBundle
from hip.application.callbacks import ProcessCallback, ReceiveCallback, ReplayCallback
from hip.application.consents import ReceiveConsent
from hip.application.context_notifies import NotifyContext
from hip.application.conversations import Conversations
from hip.application.decision_seals import SealDecisions
from hip.application.desk_links import AskTokenAtDesk, LinkFromDesk, LookFromDesk
from hip.application.discovery import AnswerDiscovery, SearchContexts
from hip.application.exchange_retries import RetryExchange
from hip.application.existing_imports import ImportExisting
from hip.application.explanations import ExplainRelease
from hip.application.inbox import Inbox
from hip.application.intake import ReceiveVisit, ReceiveVisits
from hip.application.jobs import CancelJob, RetryJob
from hip.application.link_batches import LinkBatch
from hip.application.link_confirms import AnswerLinkConfirm
from hip.application.link_inits import AnswerLinkInit
from hip.application.link_results import AcceptLinkResult, AcceptNotify
from hip.application.link_tokens import AcceptToken
from hip.application.linking import LinkVisit
from hip.application.lost_work_sweep import SweepLostWork
from hip.application.mirrors import MirrorVisit
from hip.application.notifies import NotifyTransfer
from hip.application.projections import Project
from hip.application.rebuilds import RebuildVisit, RebuildVisits
from hip.application.relay import RelayOutbox, SweepExchanges
from hip.application.release import ReleaseGate
from hip.application.requests import ReceiveHealthInformationRequest
from hip.application.retries import RetryTransfer
from hip.application.shares import AnswerShare
from hip.application.sms import SendSmsLink
from hip.application.storage import Topic
from hip.application.sweeps import SweepAll, SweepCallbacks, SweepClock, SweepConsents, SweepDeadlines, SweepOtps
from hip.application.tenants import FindFacility
from hip.application.token_requests import RequestToken
from hip.application.transfers import PushTransfer
from hip.application.waiting_entries import FetchEntry, SweepEntries
from hip.application.work import RunRows
from hip.entrypoints import wiring
from hip.entrypoints.logs import report_row


class UseCases(DeclarativeContainer):
    """Every flow, over either set of adapters."""

    adapters = DependenciesContainer()
    parallel = Dependency(instance_of=int)
    entries_per_push = Dependency(instance_of=int)
    checksum: Dependency[Any] = Dependency()
    tries: Dependency[Any] = Dependency(default={})
    elsewhere = Dependency(instance_of=str)
    mirrored = Dependency(instance_of=bool)

    _a = adapters
    conversations = Singleton(Conversations, _a.units, _a.gateway, _a.clock, _a.ids, _a.waits)
    gate = Singleton(ReleaseGate, _a.sealer, _a.pusher, _a.release_policy, entries_per_push)

    receive_visits = Singleton(ReceiveVisits, _a.units, _a.records, _a.facilities, _a.clock)
    receive_visit = Singleton(ReceiveVisit, _a.units, _a.records, _a.facilities, _a.clock)
    build_bundle = Singleton(
        BuildBundle, _a.units, _a.bundles, _a.composer, _a.validator, _a.facilities, _a.clock, mirrored
    )
    import_existing = Singleton(ImportExisting, _a.units, _a.bundles, _a.validator, _a.facilities, _a.clock, elsewhere)
    rebuild_visit = Singleton(RebuildVisit, _a.units, _a.clock)
    rebuild_visits = Singleton(RebuildVisits, _a.units, _a.clock)
    request_token = Singleton(RequestToken, _a.units, conversations, _a.clock, _a.waits)
    link_batch = Singleton(LinkBatch, _a.units, _a.tokens, conversations, _a.clock, _a.waits)
    link_visit = Singleton(LinkVisit, _a.units, _a.tokens, request_token, link_batch, _a.clock, _a.ids)
    ask_token_at_desk = Singleton(AskTokenAtDesk, _a.units, conversations, _a.clock, _a.waits)
    link_from_desk = Singleton(LinkFromDesk, _a.units, _a.clock)
    look_from_desk = Singleton(LookFromDesk, _a.units)
    send_sms_link = Singleton(SendSmsLink, _a.units, conversations, _a.facilities, _a.clock, _a.ids)
    accept_token = Singleton(AcceptToken, _a.units, _a.tokens, _a.clock, _a.waits)
    accept_link_result = Singleton(AcceptLinkResult, _a.units, _a.tokens, _a.clock, _a.waits)
    accept_notify = Singleton(AcceptNotify, _a.units, _a.clock, _a.waits)
    notify_context = Singleton(NotifyContext, _a.units, conversations, _a.clock, _a.waits)
    search_contexts = Singleton(SearchContexts, _a.units, _a.facilities, _a.likeness, _a.clock, _a.discovery_rules)
    answer_discovery = Singleton(AnswerDiscovery, search_contexts, conversations)
    answer_link_init = Singleton(
        AnswerLinkInit,
        _a.units,
        conversations,
        _a.otp_sender,
        _a.facilities,
        _a.clock,
        _a.ids,
        _a.entropy,
        _a.linking_rules,
    )
    answer_link_confirm = Singleton(AnswerLinkConfirm, _a.units, conversations, _a.clock)
    answer_share = Singleton(AnswerShare, _a.units, conversations, _a.facilities, _a.clock)
    receive_consent = Singleton(ReceiveConsent, _a.units, conversations, _a.clock, _a.waits, _a.alarm)
    receive_request = Singleton(ReceiveHealthInformationRequest, _a.units, _a.clock, _a.waits)
    change_account = Singleton(wiring.change_account, _a.settings, _a.units, _a.tokens, _a.clock, conversations)
    leave_entries = Singleton(wiring.leave_entries, _a.settings, _a.units, _a.clock, _a.ids, _a.entropy)
    notify_transfer = Singleton(NotifyTransfer, _a.units, conversations, _a.clock)
    push_transfer = Singleton(
        PushTransfer,
        _a.units,
        conversations,
        notify_transfer,
        gate,
        _a.bundles,
        build_bundle,
        _a.sealer,
        _a.pusher,
        _a.clock,
        _a.waits,
        _a.alarm,
        parallel,
        checksum,
        _a.jitter,
        leave_entries,
    )
    fetch_entry = Singleton(FetchEntry, _a.units, gate, _a.clock, _a.waits.provided.entry_kept)
    seal_decisions = Singleton(SealDecisions, _a.units, _a.facilities, _a.clock)
    sweep_entries = Singleton(SweepEntries, _a.units, _a.clock, _a.waits.provided.entry_kept)
    explain_release = Singleton(ExplainRelease, _a.units, _a.clock)
    retry_transfer = Singleton(RetryTransfer, _a.units, _a.clock, _a.waits, gate)
    inbox = Singleton(Inbox, _a.units)
    receive_callback = Singleton(ReceiveCallback, _a.units, inbox, _a.vault, _a.clock, _a.ids)
    find_facility = Singleton(FindFacility, _a.units, _a.facilities)
    process_callback = Singleton(
        ProcessCallback,
        _a.units,
        _a.vault,
        _a.reader,
        accept_token,
        accept_link_result,
        accept_notify,
        answer_discovery,
        answer_link_init,
        answer_link_confirm,
        answer_share,
        receive_consent,
        receive_request,
        change_account,
        _a.clock,
    )
    replay_callback = Singleton(ReplayCallback, _a.units, _a.clock)
    retry_exchange = Singleton(RetryExchange, _a.units, _a.clock)
    retry_job = Singleton(RetryJob, _a.units, _a.clock)
    cancel_job = Singleton(CancelJob, _a.units, _a.clock)
    look_after_bridge = Singleton(LookAfterBridge, _a.units, _a.gateway, _a.facilities, _a.clock)
    note_configuration = Singleton(NoteConfiguration, _a.units, _a.clock)
    mirror_visit = Singleton(MirrorVisit, _a.units, _a.bundles, _a.mirror)
    project = Singleton(Project, _a.units, _a.projections, _a.vault, _a.clock, mirror_visit)
    relay_outbox = Singleton(RelayOutbox, _a.units, _a.jobs, _a.clock, _a.waits)
    sweep_exchanges = Singleton(SweepExchanges, _a.units, _a.clock)
    sweep_consents = Singleton(SweepConsents, _a.units, _a.clock)
    sweep_otps = Singleton(SweepOtps, _a.units, _a.clock, _a.waits)
    sweep_deadlines = Singleton(SweepDeadlines, _a.units, _a.clock, _a.alarm)
    sweep_callbacks = Singleton(SweepCallbacks, _a.units, _a.clock, _a.waits, _a.alarm)
    sweep_clock = Singleton(SweepClock, _a.units, _a.clock, _a.alarm)
    sweep_lost_work = Singleton(SweepLostWork, _a.units, _a.clock, _a.waits, _a.alarm)
    sweep = Singleton(
        SweepAll,
        List(
            sweep_callbacks,
            sweep_clock,
            sweep_exchanges,
            sweep_consents,
            sweep_otps,
            sweep_deadlines,
            sweep_entries,
            sweep_lost_work,
            seal_decisions,
        ),
    )
    run_rows = Singleton(
        RunRows,
        _a.units,
        Dict(
            {
                Topic.CALLBACK: process_callback,
                Topic.TRANSFER: push_transfer,
                Topic.LINK: link_visit,
                Topic.SMS: send_sms_link,
                Topic.NOTIFY: notify_context,
                Topic.BUNDLE: build_bundle,
                Topic.PROJECTION: project,
            }
        ),
        _a.clock,
        _a.waits,
        _a.jitter,
        Object(report_row),
        tries,
    )

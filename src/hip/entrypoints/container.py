"""The two sets of adapters, and the flows (``use_cases``) over the one the settings name (style.md §5).

Used as a typed graph and nothing more: ``Singleton``, ``Object``, ``Dependency``, ``DependenciesContainer``. Everything
constructs synchronously and connects late; ``opened`` does what is async, ``running`` both.
"""

import random
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
from dependency_injector.containers import DeclarativeContainer
from dependency_injector.providers import Dependency, Dict, List, Object, Provider, Singleton

from hip.adapters.clock import system_clock, uuid4_ids
from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.adapters.memory.documents import MemoryDocuments
from hip.adapters.memory.jobs import MemoryJobQueue
from hip.adapters.memory.token_cache import MemoryTokenCache
from hip.adapters.memory.units import MemoryDatabase
from hip.adapters.names import name_likeness
from hip.adapters.sealing.sealer import CryptographySealer
from hip.adapters.visit_records.records import JsonVisitRecords
from hip.entrypoints import outbound, wiring
from hip.entrypoints.logs import report_alarm
from hip.entrypoints.settings import Settings
from hip.entrypoints.use_cases import UseCases
from hip.entrypoints.vault_token import kept_alive


class Adapters(DeclarativeContainer):
    """What both sets share: time, HTTP to the gateway and to requesters, FHIR, sealing."""

    settings = Dependency(instance_of=Settings)
    transport: Dependency[Any] = Dependency(default=None)

    clock = Object(system_clock)
    ids = Object(uuid4_ids)
    jitter = Object(random.random)
    alarm = Object(report_alarm)
    entropy = Object(secrets.token_bytes)
    likeness = Object(name_likeness)
    facilities = Singleton(wiring.facilities, settings)
    waits = Singleton(wiring.waits, settings)
    release_policy = Singleton(wiring.release_policy, settings)
    linking_rules = Singleton(wiring.linking_rules, settings)
    discovery_rules = Singleton(wiring.discovery_rules, settings)
    records = Singleton(JsonVisitRecords)
    reader = Singleton(outbound.callback_reader, settings)
    composer = Singleton(FhirComposer)
    validator = Singleton(NrcesValidator)
    sealer = Singleton(CryptographySealer)
    http = Singleton(outbound.gateway_http, settings, transport)
    vault = Singleton(wiring.vault, settings)
    sessions = Singleton(wiring.session_cache, settings, vault)
    circuit_memory = Singleton(wiring.circuit_memory, settings)
    circuits = Singleton(outbound.circuits, settings, clock, circuit_memory)
    circuit_states = Singleton(outbound.circuit_states, settings, clock, circuits)
    gateway = Singleton(outbound.gateway, http, settings, clock, ids, sessions, circuits)
    push_circuits = Singleton(outbound.push_circuits, settings, clock, circuit_memory)
    pusher = Singleton(outbound.pusher, settings, transport, gateway, push_circuits)
    otp_sender = Singleton(outbound.otp_sender, settings, transport)
    callback_auth = Singleton(outbound.callback_auth, settings, gateway, clock)


class MemoryAdapters(Adapters):
    """Everything in this process, for the sandbox, certification and tests; refused in production."""

    database = Singleton(MemoryDatabase)
    units = database.provided.unit
    bundles = Singleton(MemoryDocuments)
    projections = bundles
    mirror = Singleton(wiring.mirror, Adapters.settings)
    tokens = Singleton(MemoryTokenCache)
    jobs = Singleton(MemoryJobQueue)
    readiness = Dict(memory=database.provided.ping)
    closers: Provider[Any] = List()


class ServerAdapters(Adapters):
    """Postgres, MongoDB, Redis and RQ."""

    database = Singleton(wiring.postgres, Adapters.settings, Adapters.vault, Adapters.records)
    units = database.provided.unit
    bundles = Singleton(wiring.mongo, Adapters.settings)
    projections = bundles
    mirror = Singleton(wiring.mirror, Adapters.settings)
    tokens = Singleton(wiring.token_cache, Adapters.settings, Adapters.vault)
    jobs = Singleton(wiring.job_queue, Adapters.settings)
    readiness = Dict(postgres=database.provided.ping, mongo=bundles.provided.ping, redis=tokens.provided.ping)
    closers: Provider[Any] = List(
        bundles.provided.close, mirror.provided.close, tokens.provided.close, jobs.provided.close
    )


AnyAdapters = MemoryAdapters | ServerAdapters


def adapters_for(settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None) -> AnyAdapters:
    """The set the settings name; opens nothing. ``transport`` replaces the network towards gateway and requesters.

    Raises SettingsInvalid naming what the set still needs.
    """
    settings.require("facilities", "client_id", "client_secret")
    container = MemoryAdapters if settings.storage == "memory" else ServerAdapters
    return container(settings=settings, transport=transport)


def use_cases(adapters: AnyAdapters, settings: Settings) -> UseCases:
    """The flows over these adapters."""
    return UseCases(
        adapters=adapters,
        parallel=settings.push_parallel,
        entries_per_push=settings.push_entries_per_page,
        checksum=Object(wiring.checksum(settings)),
        tries=Object(settings.tries),
        mirrored=settings.amrit_dual_write == "on",
        elsewhere=settings.amrit_facility,
    )


@asynccontextmanager
async def opened(adapters: AnyAdapters) -> AsyncGenerator[None]:
    """Everything that is async about the adapters: a store that is away is found out at its first use."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(adapters.http().aclose)
        stack.push_async_callback(adapters.pusher().aclose)
        stack.push_async_callback(adapters.otp_sender().aclose)
        stack.push_async_callback(adapters.sessions().close)
        stack.push_async_callback(adapters.circuit_memory().close)
        stack.push_async_callback(adapters.database().close)
        for close in adapters.closers():
            stack.push_async_callback(close)
        await stack.enter_async_context(kept_alive(adapters.vault()))
        yield


@asynccontextmanager
async def running(settings: Settings) -> AsyncGenerator[UseCases]:
    """For one job or one command: adapters, opened, and the flows over them."""
    adapters = adapters_for(settings)
    async with opened(adapters):
        yield use_cases(adapters, settings)

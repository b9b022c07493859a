"""The web application: routers, error table, and the lifespan that opens and closes what the container built."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from dependency_injector.providers import Provider
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.logging import LoggingConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import SecurityScheme

from hip.adapters.memory.jobs import MemoryJobQueue
from hip.entrypoints.configuration import noted
from hip.entrypoints.container import AnyAdapters, adapters_for, opened, use_cases
from hip.entrypoints.http.amrit import desk_router
from hip.entrypoints.http.callbacks import CallbackDoor, callbacks_router
from hip.entrypoints.http.description import RecordComponents
from hip.entrypoints.http.entries import entries_router
from hip.entrypoints.http.errors import EXCEPTION_HANDLERS
from hip.entrypoints.http.health import health_router
from hip.entrypoints.http.keys import ApiKeys, guard
from hip.entrypoints.http.queues import queue_router
from hip.entrypoints.http.records import records_router
from hip.entrypoints.http.visits import visits_router
from hip.entrypoints.settings import Settings
from hip.entrypoints.worker.loops import Pump, RelayLoop


def injected(provider: Provider[Any]) -> Provide:
    """A provider of the container as a litestar dependency (a lambda: style.md §5)."""
    return Provide(lambda: provider(), sync_to_thread=False)  # noqa: PLW0108 - litestar cannot read a provider's signature


def create_app(settings: Settings, *, adapters: AnyAdapters | None = None) -> Litestar:
    """Build the application; nothing is opened before its lifespan.

    ``adapters`` replaces those the settings name, for the sandbox and for tests. In memory mode relay and worker run
    inside the lifespan.
    """
    adapters = adapters or adapters_for(settings)
    uses = use_cases(adapters, settings)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None]:
        async with opened(adapters), AsyncExitStack() as ending:
            ending.push_async_callback(uses.inbox().drained)  # before the connections go
            await noted(uses.note_configuration(), settings, adapters.facilities())
            jobs = adapters.jobs()
            if not isinstance(jobs, MemoryJobQueue):
                yield
                return
            stop = asyncio.Event()
            loops = [
                asyncio.create_task(
                    RelayLoop(uses.relay_outbox(), uses.sweep(), adapters.database(), adapters.waits())(stop)
                ),
                asyncio.create_task(Pump(jobs, uses.run_rows())(stop)),
            ]
            try:
                yield
            finally:
                stop.set()
                await asyncio.gather(*loops)

    door = CallbackDoor(
        receive_callback=uses.receive_callback(),
        find_facility=uses.find_facility(),
        auth=adapters.callback_auth(),
        facilities=adapters.facilities(),
        clock=adapters.clock(),
        alarm=adapters.alarm(),
    )
    hmis = Router(
        path="/", route_handlers=[visits_router, records_router, queue_router], guards=guard(ApiKeys.of(settings))
    )
    desk = [desk_router(ApiKeys.of(settings))] if settings.amrit_paths == "on" else []
    return Litestar(
        [callbacks_router(door), hmis, *desk, entries_router, health_router],
        dependencies={
            "units": injected(adapters.units),
            "bundles": injected(adapters.bundles),
            "clock": injected(adapters.clock),
            "facilities": injected(adapters.facilities),
            "receive_visit_record": injected(uses.receive_visit),
            "receive_visit_records": injected(uses.receive_visits),
            "ask_token": injected(uses.ask_token_at_desk),
            "link_from_desk": injected(uses.link_from_desk),
            "look_from_desk": injected(uses.look_from_desk),
            "fetch": injected(uses.fetch_entry),
            "explain_release": injected(uses.explain_release),
            "readiness": injected(adapters.readiness),
            "circuit_states": injected(adapters.circuit_states),
        },
        exception_handlers=dict(EXCEPTION_HANDLERS),
        lifespan=[lifespan],
        # Litestar's own logger would print tracebacks with values; ours logs kinds and correlation ids.
        logging_config=LoggingConfig(log_exceptions="never", configure_root_logger=False),
        openapi_config=OpenAPIConfig(
            title="hip",
            version="1",
            description="Health Information Provider for ABDM: the HMIS API",
            components=RecordComponents(
                security_schemes={"key": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header")},
            ),
            security=[{"key": []}],
        ),
    )

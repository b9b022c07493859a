"""Deliberate faults of the service, put in place of its adapters, as a release with a bug would have them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
from dependency_injector.providers import Object

from hip.application.gateway_calls import GatewayCall
from hip.application.ports import PushedPage
from hip.entrypoints.certify.clocks import MovableClock
from hip.entrypoints.certify.grounds import Arrange
from hip.entrypoints.container import AnyAdapters

Alter = Callable[[Any], Any]


class Standing:
    """Stands in for ``real``: the methods given replace its own, everything else is its own."""

    def __init__(self, real: Any, **methods: Any) -> None:
        self.__dict__.update(methods)
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def says(kind: type[Any], alter: Alter) -> Arrange:
    """What is said to the gateway in calls of ``kind`` goes through ``alter``; what comes out as None is not sent."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        real = adapters.gateway()

        async def send(call: GatewayCall, **about: Any) -> int:
            said = alter(call) if isinstance(call, kind) else call
            if said is None:
                return 202
            status: int = await real.send(said, **about)
            return status

        adapters.gateway.override(Object(Standing(real, send=send)))

    return arrange


def says_twice(kind: type[Any]) -> Arrange:
    """Calls of ``kind`` go out twice, the second time under a REQUEST-ID of its own."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        real, ids = adapters.gateway(), adapters.ids()

        async def send(call: GatewayCall, **about: Any) -> int:
            if isinstance(call, kind):
                await real.send(call, **{**about, "request_id": ids()})
            status: int = await real.send(call, **about)
            return status

        adapters.gateway.override(Object(Standing(real, send=send)))

    return arrange


def is_late(kind: type[Any], by: timedelta) -> Arrange:
    """Time goes by before the first call of ``kind`` goes out."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        real, waited = adapters.gateway(), False

        async def send(call: GatewayCall, **about: Any) -> int:
            nonlocal waited
            if isinstance(call, kind) and not waited:
                waited = True
                clock.advance(by)
            status: int = await real.send(call, **{**about, "now": clock()})
            return status

        adapters.gateway.override(Object(Standing(real, send=send)))

    return arrange


def hears(kind: type[Any], alter: Alter) -> Arrange:
    """What the gateway says in events of ``kind`` goes through ``alter``."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        real = adapters.reader()

        def read(path: str, body: bytes) -> Any:
            event = real.read(path, body)
            return alter(event) if isinstance(event, kind) else event

        adapters.reader.override(Object(Standing(real, read=read)))

    return arrange


def pushes(alter: Callable[[PushedPage], PushedPage]) -> Arrange:
    """Pages go through ``alter``."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        real = adapters.pusher()

        async def push(page: PushedPage, **about: Any) -> int:
            status: int = await real.push(alter(page), **about)
            return status

        adapters.pusher.override(Object(Standing(real, push=push)))

    return arrange


def instead(name: str, make: Callable[[Any], Any]) -> Arrange:
    """The adapter called ``name`` is what ``make`` makes of the real one."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        provider = getattr(adapters, name)
        provider.override(Object(make(provider())))

    return arrange


def stores(collection: str, method: str, fault: Callable[..., Awaitable[Any]]) -> Arrange:
    """``fault(real, *arguments)`` in place of a method of a collection; ``real`` is the collection."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        units = adapters.units()

        @asynccontextmanager
        async def faulty() -> AsyncGenerator[Any]:
            async with units() as uow:
                real = getattr(uow, collection)

                async def call(*arguments: Any, **named: Any) -> Any:
                    return await fault(real, *arguments, **named)

                yield Standing(uow, **{collection: Standing(real, **{method: call})})

        adapters.units.override(Object(faulty))

    return arrange


def both(*faults: Arrange) -> Arrange:
    """Several at once."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        for fault in faults:
            fault(adapters, clock)

    return arrange


def sends(change: Callable[[httpx.Request], None]) -> Arrange:
    """Every request to the gateway goes through ``change`` before it leaves."""

    def arrange(adapters: AnyAdapters, clock: MovableClock) -> None:
        async def hook(request: httpx.Request) -> None:
            change(request)

        adapters.http().event_hooks = {"request": [hook]}

    return arrange


def consents_read(alter: Callable[[Any], Any]) -> Arrange:
    """Artefacts are read as ``alter`` makes them, and look untouched (REL-19)."""

    def altered(consent: Any) -> Any:
        if consent is None or consent.artefact is None:
            return consent
        artefact = alter(consent.artefact)
        return replace(consent, artefact=artefact, terms_hash=artefact.fingerprint)

    async def get(real: Any, *key: Any) -> Any:
        return altered(await real.get(*key))

    async def again(real: Any, held: Any) -> Any:
        return altered(await real.lock_again(held))

    async def lock(real: Any, *key: Any) -> Any:
        return altered(await real.lock(*key))

    return both(
        stores("consents", "get", get), stores("consents", "lock", lock), stores("consents", "lock_again", again)
    )

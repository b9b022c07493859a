"""Readiness says how the stores and the gateway's circuit are, and is refused for a store alone."""

import asyncio

import pytest
from tests.builders.edge import edge

from hip.domain.errors import CircuitOpen, Transient

NOBODY = "http://nobody.sandbox/api/hiecm"
AWAY = {"HIP_GATEWAY_URL": NOBODY, "HIP_GATEWAY_FAILURES": "2", "HIP_GATEWAY_PAUSE": "3600"}


def test_a_gateway_that_is_left_alone_is_shown_and_makes_nothing_unready():
    async def story() -> None:
        async with edge(**AWAY) as service:
            before = await service.http.get("/health/ready")
            assert (before.status_code, before.json()["circuits"]) == (200, {"gateway": "closed"})
            for _ in range(2):
                with pytest.raises(Transient):
                    await service.adapters.gateway().jwks()
            with pytest.raises(CircuitOpen):
                await service.adapters.gateway().jwks()
            after = await service.http.get("/health/ready")
            shown = {"status": "UP", "checks": {"memory": "UP"}, "circuits": {"gateway": "open"}}
            assert (after.status_code, after.json()) == (200, shown)

    asyncio.run(story())


def test_it_answers_also_when_nobody_remembers_circuits():
    async def story() -> None:
        async with edge() as service:
            service.adapters.circuit_memory().down = True
            ready = await service.http.get("/health/ready")
            assert (ready.status_code, ready.json()["circuits"]) == (200, {"gateway": "closed"})

    asyncio.run(story())

"""A requester that does not answer is spared for a while, and no worker waits for it (PUSH-06)."""

from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest
from tests.builders.flows import SetClock
from tests.unit.push.pages import PAGE

from hip.adapters.memory.circuit_memory import MemoryCircuitMemory
from hip.adapters.push.client import HttpPusher, PushSettings
from hip.application.circuits import Circuits
from hip.domain.circuits import CircuitRules
from hip.domain.errors import CircuitOpen, HipError, PushRefused, Transient

pytestmark = pytest.mark.anyio

RULES = CircuitRules(failures=3, pause=timedelta(seconds=30))
URL, ELSEWHERE = "https://hiu.example.org/push", "https://other.example.org/push"


async def public(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.215.14"]


class Requesters:
    """Every host answers ``status``, or not at all when that is None; pushes go one by one."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.met: list[str] = []
        self.clock = SetClock()
        circuits = Circuits(RULES, self.clock, lambda *_, **__: None, MemoryCircuitMemory())
        self.pusher = HttpPusher(
            PushSettings(), resolver=public, transport=httpx.MockTransport(self._answer), circuits=circuits
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.met.append(request.url.host)
        if self.status is None:
            raise httpx.ConnectTimeout("nobody there")
        return httpx.Response(self.status)

    async def push(self, url: str = URL) -> type[HipError] | int:
        try:
            return await self.pusher.push(PAGE, url=url, hiu_id=None)
        except (Transient, PushRefused) as failure:
            return type(failure)


@pytest.mark.parametrize("status", [None, 502, 503, 504])
async def test_after_failures_in_a_row_nothing_is_sent_to_that_host_until_a_pause_is_over(status: int | None) -> None:
    requesters = Requesters()
    requesters.status = status
    assert [await requesters.push() for _ in range(4)] == [Transient, Transient, Transient, CircuitOpen]
    assert await requesters.pusher.away(URL) == RULES.pause
    assert await requesters.pusher.away(ELSEWHERE) is None
    requesters.status = 202
    assert await requesters.push(ELSEWHERE) == 202
    assert requesters.met == ["hiu.example.org"] * 3 + ["other.example.org"]
    requesters.clock.advance(RULES.pause)
    assert await requesters.pusher.away(URL) is None
    assert [await requesters.push() for _ in range(2)] == [202, 202]


@pytest.mark.parametrize("status", [202, 400, 401, 403, 404, 429, 500])
async def test_an_answer_that_may_be_about_one_page_holds_up_no_other(status: int) -> None:
    requesters = Requesters()
    requesters.status = status
    for _ in range(5):
        await requesters.push()
    assert len(requesters.met) == 5
    assert await requesters.pusher.away(URL) is None


async def test_another_port_is_another_requester() -> None:
    requesters = Requesters()
    for _ in range(3):
        await requesters.push()
    assert await requesters.pusher.away("https://hiu.example.org:443/else") == RULES.pause
    assert await requesters.pusher.away("https://hiu.example.org:8443/push") is None


async def test_an_address_that_may_not_be_called_is_left_to_the_push_to_refuse() -> None:
    assert await Requesters().pusher.away("https://127.0.0.1/") is None

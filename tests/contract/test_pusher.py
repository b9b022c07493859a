"""``Pusher`` over sockets and into an app of the same process: one behaviour."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx
import jsonschema
import pytest
import uvicorn
from tests.unit.gateway.schemas import PAGE as PAGE_SCHEMA
from tests.unit.push.pages import PAGE

from hip.adapters.push.addresses import AddressRules
from hip.adapters.push.client import HttpPusher, PushSettings
from hip.application.ports import Pusher
from hip.domain.errors import PushRefused, Transient, UnsafeUrl

pytestmark = pytest.mark.anyio


@dataclass
class Requester:
    """Answers with ``status`` and keeps what it was sent."""

    status: int = 202
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    bodies: list[Any] = field(default_factory=list)

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.paths.append(scope["raw_path"].decode())
        self.names |= {name.decode().lower() for name, _ in scope["headers"]}
        self.bodies.append(json.loads(body))
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Road:
    """A pusher and the requester at its end."""

    pusher: Pusher
    requester: Requester
    url: str


@pytest.fixture(params=["sockets", "memory"])
async def road(request: pytest.FixtureRequest) -> AsyncIterator[Road]:
    requester = Requester()
    if request.param == "memory":
        settings = PushSettings(rules=AddressRules(trusted_hosts=frozenset({"hiu.sandbox"})))
        pusher = HttpPusher(settings, transport=httpx.ASGITransport(requester))
        yield Road(pusher, requester, "http://hiu.sandbox/v3/transfer/")
        await pusher.aclose()
        return
    server = uvicorn.Server(uvicorn.Config(requester, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    pusher = HttpPusher(PushSettings(rules=AddressRules(allow_loopback_http=True), timeout=timedelta(seconds=10)))
    yield Road(pusher, requester, f"http://127.0.0.1:{port}/v3/transfer/")
    await pusher.aclose()
    server.should_exit = True
    await serving


async def test_a_page_arrives_whole_at_the_very_url_without_a_token(road: Road) -> None:
    assert await road.pusher.push(PAGE, url=road.url, hiu_id="HIU-1") == 202
    assert road.requester.paths == ["/v3/transfer/"]
    (body,) = road.requester.bodies
    jsonschema.Draft202012Validator(PAGE_SCHEMA).validate(body)
    assert [entry["content"] for entry in body["entries"]] == list(PAGE.sealed.contents)
    assert not road.requester.names & {"authorization", "x-hip-id", "x-cm-id", "x-link-token", "request-id", "cookie"}


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_any_2xx_is_returned(road: Road, status: int) -> None:
    road.requester.status = status
    assert await road.pusher.push(PAGE, url=road.url, hiu_id=None) == status


@pytest.mark.parametrize("status", [400, 404, 408, 425, 429, 500, 503])
async def test_what_may_change_is_transient_with_its_status(road: Road, status: int) -> None:
    road.requester.status = status
    with pytest.raises(Transient) as failure:
        await road.pusher.push(PAGE, url=road.url, hiu_id=None)
    assert failure.value.code == str(status)


@pytest.mark.parametrize("status", [302, 307, 401, 403, 410, 422])
async def test_a_final_no_is_refused_and_a_redirect_is_one(road: Road, status: int) -> None:
    road.requester.status = status
    road.requester.headers = [(b"location", b"https://elsewhere.example/")]
    with pytest.raises(PushRefused) as refusal:
        await road.pusher.push(PAGE, url=road.url, hiu_id=None)
    assert refusal.value.status == status
    assert len(road.requester.paths) == 1


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "https://169.254.169.254/", "https://u@hiu.example.org/", "x"])
async def test_an_unsafe_url_is_refused_by_its_text_and_never_called(road: Road, url: str) -> None:
    with pytest.raises(UnsafeUrl):
        road.pusher.check(url)
    with pytest.raises(UnsafeUrl):
        await road.pusher.push(PAGE, url=url, hiu_id=None)
    assert road.requester.paths == []


async def test_many_pages_may_be_under_way_at_once(road: Road) -> None:
    statuses = await asyncio.gather(*(road.pusher.push(PAGE, url=road.url, hiu_id=None) for _ in range(20)))
    assert set(statuses) == {202}
    assert len(road.requester.bodies) == 20


async def test_an_entry_that_is_left_to_be_fetched_goes_as_its_link_alone(road: Road) -> None:
    link = "https://hip.example.org/health-information/entry-1?token=abcd"
    await road.pusher.push(replace(PAGE, links=(link,)), url=road.url, hiu_id=None)
    [body] = road.requester.bodies
    [entry] = body["entries"]
    assert entry["link"] == link
    assert "content" not in entry
    assert {"media", "checksum", "careContextReference"} <= set(entry)

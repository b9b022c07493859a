"""A push over real sockets and real TLS: where it connects, what it says, and what it makes of the answer."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import httpx
import jsonschema
import pytest
from tests.unit.gateway.schemas import PAGE as PAGE_SCHEMA
from tests.unit.push.pages import PAGE, Authority

from hip.adapters.push.addresses import AddressRules
from hip.adapters.push.client import HttpPusher, PushSettings
from hip.adapters.push.network import system_trust
from hip.domain.errors import InvalidValue, PushRefused, Transient, UnsafeUrl

pytestmark = pytest.mark.anyio

HOST = "hiu.example.org"
OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
LOOPBACK = PushSettings(rules=AddressRules(allow_loopback_http=True), timeout=timedelta(seconds=5))


@dataclass
class Requester:
    """A requester on loopback that answers each request with ``reply`` and keeps what it read."""

    reply: bytes = OK
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    server_names: list[str | None] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator["Requester"]:
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.server_names.append(name)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                length = next(
                    int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                self.bodies.append(await reader.readexactly(length))
                writer.write(self.reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answering(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return resolve


async def pushed(reply: bytes) -> int:
    async with Requester(reply).listening() as requester:
        pusher = HttpPusher(LOOPBACK)
        try:
            return await pusher.push(PAGE, url=f"http://127.0.0.1:{requester.port}/push", hiu_id=None)
        finally:
            await pusher.aclose()


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {code} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


# --- what is said


async def test_the_body_is_that_of_the_contract_and_carries_nothing_of_ours() -> None:
    async with Requester().listening() as requester:
        pusher = HttpPusher(LOOPBACK)
        assert await pusher.push(PAGE, url=f"http://127.0.0.1:{requester.port}/v3/transfer/", hiu_id="HIU-1") == 202
        await pusher.aclose()
    content = json.loads(requester.bodies[0])
    jsonschema.Draft202012Validator(PAGE_SCHEMA).validate(content)
    assert content == {
        "pageNumber": 1,
        "pageCount": 3,
        "transactionId": PAGE.transaction_id,
        "entries": [
            {
                "content": PAGE.sealed.contents[0],
                "media": "application/fhir+json",
                "checksum": PAGE.checksums[0],
                "careContextReference": "adm-5512",
            }
        ],
        "keyMaterial": {
            "cryptoAlg": "ECDH",
            "curve": "Curve25519",
            "dhPublicKey": {
                "expiry": "2026-03-16T06:52:00.000Z",
                "parameters": "Curve25519/32byte random key",
                "keyValue": PAGE.sealed.key_material.public_key,
            },
            "nonce": PAGE.sealed.key_material.nonce,
        },
    }
    names = {line.partition(":")[0].lower() for line in requester.heads[0].split("\r\n")[1:] if line}
    assert names == {"host", "content-type", "content-length", "accept", "accept-encoding", "user-agent"}


@pytest.mark.parametrize(("first_page", "number"), [(0, 2), (1, 3)])
async def test_page_numbers_begin_where_the_settings_say(first_page: int, number: int) -> None:
    async with Requester().listening() as requester:
        pusher = HttpPusher(replace(LOOPBACK, first_page=first_page))
        await pusher.push(replace(PAGE, number=3), url=f"http://127.0.0.1:{requester.port}/", hiu_id=None)
        await pusher.aclose()
    assert json.loads(requester.bodies[0])["pageNumber"] == number


@pytest.mark.parametrize("path", ["/v3/transfer/", "/a%2Fb/../c//?q=%7E~&x=%20", "/", "?x=1", ""])
async def test_the_url_is_used_verbatim(path: str) -> None:
    async with Requester().listening() as requester:
        pusher = HttpPusher(LOOPBACK)
        await pusher.push(PAGE, url=f"http://127.0.0.1:{requester.port}{path}", hiu_id=None)
        await pusher.aclose()
    expected = path if path.startswith("/") else f"/{path}"
    assert requester.heads[0].split("\r\n")[0] == f"POST {expected} HTTP/1.1"


async def test_entries_that_do_not_pair_up_never_leave() -> None:
    page = replace(PAGE, checksums=())
    with pytest.raises(InvalidValue):
        await HttpPusher(LOOPBACK).push(page, url="http://127.0.0.1:9/", hiu_id=None)


# --- where it connects


async def test_the_checked_address_is_called_under_the_requesters_own_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Requester().listening(authority.server(HOST)) as requester:
        rules = AddressRules(trusted_hosts=frozenset({HOST}))
        pusher = HttpPusher(replace(LOOPBACK, rules=rules), resolver=answering("127.0.0.1"), trust=authority.trust())
        assert await pusher.push(PAGE, url=f"https://{HOST}:{requester.port}/push", hiu_id=None) == 202
        await pusher.aclose()
    assert requester.server_names == [HOST]
    assert f"Host: {HOST}:{requester.port}\r\n" in requester.heads[0]


@pytest.mark.parametrize("certified", ["other.example.org", "127.0.0.1"])
async def test_a_certificate_for_another_name_ends_the_push_before_a_byte_of_it(certified: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Requester().listening(authority.server(certified)) as requester:
        rules = AddressRules(trusted_hosts=frozenset({HOST}))
        pusher = HttpPusher(replace(LOOPBACK, rules=rules), resolver=answering("127.0.0.1"), trust=authority.trust())
        with pytest.raises(Transient):
            await pusher.push(PAGE, url=f"https://{HOST}:{requester.port}/push", hiu_id=None)
        await pusher.aclose()
    assert requester.bodies == []


async def test_a_certificate_nobody_vouches_for_ends_the_push(tmp_path: Path) -> None:
    async with Requester().listening(Authority(tmp_path).server(HOST)) as requester:
        rules = AddressRules(trusted_hosts=frozenset({HOST}))
        pusher = HttpPusher(replace(LOOPBACK, rules=rules), resolver=answering("127.0.0.1"))
        with pytest.raises(Transient):
            await pusher.push(PAGE, url=f"https://{HOST}:{requester.port}/push", hiu_id=None)
        await pusher.aclose()
    assert requester.bodies == []


def test_the_systems_trust_is_strict() -> None:
    trust = system_trust()
    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.check_hostname
    assert trust.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert trust.keylog_filename is None


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::1"], ["169.254.169.254"], ["::ffff:127.0.0.1"]]
)
async def test_a_name_that_leads_inward_is_never_connected_to(answers: list[str]) -> None:
    async with Requester().listening() as requester:
        rules = AddressRules(ports=frozenset({requester.port}), allow_loopback_http=True)
        pusher = HttpPusher(replace(LOOPBACK, rules=rules), resolver=answering(*answers))
        with pytest.raises(UnsafeUrl):
            await pusher.push(PAGE, url=f"https://rebound.example.org:{requester.port}/push", hiu_id=None)
        await pusher.aclose()
    assert requester.connections == 0


async def test_a_rebinding_name_server_is_asked_once_for_a_connection() -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    async with Requester().listening() as requester:
        pusher = HttpPusher(LOOPBACK, resolver=rebinding)
        for _ in range(3):
            await pusher.push(PAGE, url=f"http://localhost:{requester.port}/", hiu_id=None)
        await pusher.aclose()
    assert asked == ["localhost"]
    assert requester.connections == 1


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with Requester().listening() as requester:
        pusher = HttpPusher(LOOPBACK, resolver=answering("127.0.0.77", "127.0.0.1"))
        assert await pusher.push(PAGE, url=f"http://localhost:{requester.port}/", hiu_id=None) == 202
        await pusher.aclose()


async def test_a_name_that_does_not_resolve_is_transient() -> None:
    async def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError("name or service not known")

    for resolver in (unknown, answering()):
        pusher = HttpPusher(LOOPBACK, resolver=resolver)
        with pytest.raises(Transient) as failure:
            await pusher.push(PAGE, url=f"https://{HOST}/canary", hiu_id=None)
        assert failure.value.code is None
        await pusher.aclose()


async def test_what_the_text_forbids_is_not_even_resolved() -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        raise AssertionError("resolved")

    pusher = HttpPusher(PushSettings(), resolver=never)
    with pytest.raises(UnsafeUrl):
        pusher.check("http://127.0.0.1/")
    with pytest.raises(UnsafeUrl):
        await pusher.push(PAGE, url="http://127.0.0.1/", hiu_id=None)


async def test_proxies_of_the_environment_are_ignored() -> None:
    # httpx and urllib would read these; a push must not even know of them.
    import os

    before = dict(os.environ)
    os.environ.update(
        {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"}
    )
    try:
        assert await pushed(OK) == 202
    finally:
        os.environ.clear()
        os.environ.update(before)


# --- what it makes of the answer


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_any_2xx_is_delivered(code: int) -> None:
    assert await pushed(status(code)) == code


@pytest.mark.parametrize("code", [400, 404, 408, 425, 429, 500, 502, 503, 504])
async def test_what_may_change_is_transient_and_says_its_status(code: int) -> None:
    with pytest.raises(Transient) as failure:
        await pushed(status(code))
    assert failure.value.code == str(code)


@pytest.mark.parametrize("code", [300, 301, 302, 303, 307, 308, 401, 403, 405, 410, 413, 422])
async def test_what_will_not_change_is_refused(code: int) -> None:
    with pytest.raises(PushRefused) as refusal:
        await pushed(status(code, "Location: http://169.254.169.254/"))
    assert refusal.value.status == code


@pytest.mark.parametrize(
    ("stated", "wait"),
    [
        ("30", timedelta(seconds=30)),
        ("99999999999999", timedelta(minutes=20)),
        ("Sat, 14 Mar 2026 06:52:00 GMT", None),
        ("-5", None),
    ],
)
async def test_the_requesters_wish_to_wait_is_heard_within_reason(stated: str, wait: timedelta | None) -> None:
    with pytest.raises(Transient) as failure:
        await pushed(status(503, f"Retry-After: {stated}"))
    assert failure.value.retry_after == wait


@pytest.mark.parametrize(
    "reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000]
)
async def test_a_broken_answer_is_transient_without_a_code(reply: bytes) -> None:
    async with Requester(reply).listening() as requester:
        pusher = HttpPusher(replace(LOOPBACK, timeout=timedelta(milliseconds=300)))
        with pytest.raises(Transient) as failure:
            await pusher.push(PAGE, url=f"http://127.0.0.1:{requester.port}/", hiu_id=None)
        await pusher.aclose()
    assert failure.value.code is None


async def test_nobody_listening_is_transient() -> None:
    async with Requester().listening() as requester:
        pass
    pusher = HttpPusher(LOOPBACK)
    with pytest.raises(Transient):
        await pusher.push(PAGE, url=f"http://127.0.0.1:{requester.port}/", hiu_id=None)
    await pusher.aclose()


async def test_a_2xx_counts_however_long_or_broken_its_body_is() -> None:
    endless = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n" + b"10000\r\n"
    )
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    assert await pushed(endless) == 200
    assert await pushed(cut) == 200


async def test_cookies_are_not_sent_back() -> None:
    async with Requester(status(200, "Set-Cookie: a=b")).listening() as requester:
        pusher = HttpPusher(LOOPBACK)
        for _ in range(2):
            await pusher.push(PAGE, url=f"http://127.0.0.1:{requester.port}/", hiu_id=None)
        await pusher.aclose()
    assert "cookie" not in requester.heads[1].lower()


async def test_no_failure_and_no_log_shows_the_page_or_its_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for code in (302, 404, 500):
        with pytest.raises((Transient, PushRefused)) as raised:
            await pushed(status(code, body=b"canary"))
        shown = f"{raised.value!r} {raised.value.__cause__!r} {caplog.text} {PAGE!r}"
        for canary in ("canary", "IhgJ7", "127.0.0.1", "/push", "HxpeV7"):
            assert canary not in shown


# --- in memory


async def test_another_transport_is_held_to_the_same_rules() -> None:
    reached: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        reached.append(str(request.url))
        return httpx.Response(202)

    rules = AddressRules(trusted_hosts=frozenset({"hiu.sandbox"}))
    for answers, good in ((["93.184.215.14"], True), (["10.0.0.1"], False)):
        pusher = HttpPusher(
            PushSettings(rules=rules), resolver=answering(*answers), transport=httpx.MockTransport(answer)
        )
        assert await pusher.push(PAGE, url="http://hiu.sandbox/push/", hiu_id=None) == 202
        if good:
            assert await pusher.push(PAGE, url=f"https://{HOST}/push", hiu_id=None) == 202
        else:
            with pytest.raises(UnsafeUrl):
                await pusher.push(PAGE, url=f"https://{HOST}/push", hiu_id=None)
        with pytest.raises(UnsafeUrl):
            await pusher.push(PAGE, url="http://other.sandbox/", hiu_id=None)
    assert reached == ["http://hiu.sandbox/push/", f"https://{HOST}/push", "http://hiu.sandbox/push/"]

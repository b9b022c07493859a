"""PUSH-03 and contract §2.11: our session token goes to the hosts an operator named, and to nobody else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
import pytest
from tests.unit.push.pages import PAGE

from hip.adapters.push.addresses import AddressRules
from hip.adapters.push.client import HttpPusher, PushSettings
from hip.domain.errors import GatewayRefused, PushRefused, Transient
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings

pytestmark = pytest.mark.anyio

NAMED = "hiu.example.org"


@dataclass
class Tokens:
    """Hands out ``token-1``, and after each drop the next one."""

    dropped: list[str] = field(default_factory=list)
    asked: int = 0
    refused: bool = False

    async def token(self) -> str:
        self.asked += 1
        if self.refused:
            raise GatewayRefused(call="sessions", code="ABDM-1006", status=401)
        return f"token-{len(self.dropped) + 1}"

    async def drop(self, token: str) -> None:
        self.dropped.append(token)


async def public(_host: str, _port: int) -> Sequence[str]:
    return ["93.184.215.14"]


async def sent(
    url: str, tokens: Tokens, *, takes: frozenset[str | None], trusted: frozenset[str] = frozenset()
) -> list[str | None]:
    """The Authorization headers of the requests that reached a requester which takes only those in ``takes``."""
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(202 if seen[-1] in takes else 401)

    settings = PushSettings(rules=AddressRules(trusted_hosts=trusted), token_hosts=frozenset({NAMED}))
    pusher = HttpPusher(settings, resolver=public, transport=httpx.MockTransport(answer), bearer=tokens)
    try:
        await pusher.push(PAGE, url=url, hiu_id=None)
    except PushRefused:
        seen.append("refused")
    finally:
        await pusher.aclose()
    return seen


async def test_a_named_host_is_sent_the_token() -> None:
    tokens = Tokens()
    assert await sent(f"https://{NAMED}/push", tokens, takes=frozenset({"Bearer token-1"})) == ["Bearer token-1"]
    assert await sent("https://HIU.example.org/", tokens, takes=frozenset({"Bearer token-1"})) == ["Bearer token-1"]


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.org/",
        "https://x.hiu.example.org/",
        "https://hiu.example.org.evil.example/",
        "https://evil.example/hiu.example.org",
        "https://xhiu.example.org/",
    ],
)
async def test_nobody_else_is_and_a_401_of_theirs_is_final(url: str) -> None:
    tokens = Tokens()
    assert await sent(url, tokens, takes=frozenset()) == [None, "refused"]
    assert (tokens.asked, tokens.dropped) == (0, [])


async def test_a_named_host_is_not_sent_it_in_the_clear() -> None:
    tokens = Tokens()
    seen = await sent(f"http://{NAMED}/", tokens, takes=frozenset({None}), trusted=frozenset({NAMED}))
    assert (seen, tokens.asked) == ([None], 0)


async def test_a_401_to_a_token_costs_one_more_try_with_a_fresh_one() -> None:
    tokens = Tokens()
    seen = await sent(f"https://{NAMED}/", tokens, takes=frozenset({"Bearer token-2"}))
    assert (seen, tokens.dropped) == (["Bearer token-1", "Bearer token-2"], ["token-1"])


async def test_a_second_401_is_final() -> None:
    seen = await sent(f"https://{NAMED}/", Tokens(), takes=frozenset())
    assert seen == ["Bearer token-1", "Bearer token-2", "refused"]


async def test_without_a_session_the_page_waits() -> None:
    with pytest.raises(Transient):
        await sent(f"https://{NAMED}/", Tokens(refused=True), takes=frozenset())


@pytest.mark.parametrize(
    "host", ["*.example.org", "https://hiu.example.org", "hiu.example.org:443", "HIU.example.org", ""]
)
async def test_a_setting_that_is_no_whole_host_name_is_refused(host: str) -> None:
    with pytest.raises(SettingsInvalid, match="HIP_PUSH_TOKEN_HOSTS"):
        Settings.read(_env_file=None, push_token_hosts=(host,))

"""The attacks on the callbacks' JWT, each over HTTP: 401, nothing stored, nothing of the token told (CB-01, CB-02)."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from tests.builders.edge import ISSUER, KEYS, OTHER_KEYS, Edge, edge

REALM = f"{ISSUER}/realms/central-registry"
KID, UNUSED_KID = str(KEYS.signing.kid), str(KEYS.unused.kid)
PUBLIC_PEM = KEYS.signing.as_pem(private=False)
CURVE = ECKey.generate_key("P-256", private=True)
SECRET = "canary-7f1e"


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a callback's token, then ``changes`` (None takes one away). Times are seconds since 1970."""
    now = int(time.time())
    stated = {"iss": REALM, "aud": "account", "jti": SECRET, "iat": now, "exp": now + 600, **changes}
    return {name: value for name, value in stated.items() if value is not None}


def signed(key: Any = KEYS.signing, *, kid: str | None = KID, alg: str = "RS256", **more: Any) -> str:
    if isinstance(key, RSAKey):  # without the algorithm that it is meant for
        key = RSAKey.import_key({name: key.as_dict(private=True)[name] for name in ("kty", *"nedpq", "dp", "dq", "qi")})
    header = {"alg": alg, **({} if kid is None else {"kid": kid}), **more.pop("header", {})}
    return jwt.encode(header, claims(**more), key, algorithms=[alg])


def by_hand(header: dict[str, Any], sign: Callable[[bytes], bytes] = lambda _: b"") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims())]
    signature = base64.urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"=")
    return b".".join([*parts, signature]).decode()


def keyed(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda content: hmac.new(secret, content, hashlib.sha256).digest()


def public(key: Any, kid: str) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": kid}


THEIRS = "https://evil.example.org/keys"
FORGED: dict[str, Callable[[], str]] = {
    "alg none": lambda: by_hand({"alg": "none", "kid": KID}),
    "alg nOnE": lambda: by_hand({"alg": "nOnE", "kid": KID}),
    "HMAC with the public key in PEM": lambda: by_hand({"alg": "HS256", "kid": KID}, keyed(PUBLIC_PEM)),
    "HMAC with the modulus": lambda: by_hand(
        {"alg": "HS256", "kid": KID}, keyed(KEYS.signing.as_dict(private=False)["n"].encode())
    ),
    "HMAC that calls itself RS256": lambda: by_hand({"alg": "RS256", "kid": KID}, keyed(PUBLIC_PEM)),
    "somebody else's key under a known kid": lambda: signed(OTHER_KEYS.signing),
    "somebody else's key under its own kid": lambda: signed(OTHER_KEYS.signing, kid=str(OTHER_KEYS.signing.kid)),
    "the other published key under this kid": lambda: signed(KEYS.unused),
    "the signing key under the other kid": lambda: signed(kid=UNUSED_KID),
    "an unknown kid": lambda: signed(kid="nobody"),
    "no kid": lambda: signed(kid=None),
    "a kid with a NUL": lambda: signed(kid=f"{KID}\0"),
    "a kid that is a path": lambda: signed(kid="../../../dev/null"),
    "expired": lambda: signed(exp=int(time.time()) - 120),
    "not yet valid": lambda: signed(nbf=int(time.time()) + 120),
    "issued in the future": lambda: signed(iat=int(time.time()) + 3600),
    "no end": lambda: signed(exp=None),
    "another audience": lambda: signed(aud="someone"),
    "no audience": lambda: signed(aud=None),
    "another issuer": lambda: signed(iss="https://evil.example.org"),
    "no issuer": lambda: signed(iss=None),
    "a key of its own in jwk": lambda: signed(
        OTHER_KEYS.signing, header={"jwk": public(OTHER_KEYS.signing, KID)}, kid=KID
    ),
    "keys of its own at jku": lambda: signed(OTHER_KEYS.signing, kid="theirs", header={"jku": THEIRS}),
    "a certificate of its own at x5u": lambda: signed(OTHER_KEYS.signing, header={"x5u": THEIRS}),
    "a certificate of its own in x5c": lambda: signed(OTHER_KEYS.signing, header={"x5c": ["AAAA"]}),
    "RS384": lambda: signed(alg="RS384"),
    "RS512 with a key for RS256": lambda: signed(alg="RS512"),
    "PS256": lambda: signed(alg="PS256"),
    "ES256": lambda: signed(CURVE, alg="ES256"),
    "an unknown critical header": lambda: by_hand({"alg": "RS256", "kid": KID, "crit": ["x"], "x": 1}),
    "a cut signature": lambda: signed()[:-6],
    "another's claims under this signature": lambda: ".".join(
        [signed().split(".")[0], signed(aud="x").split(".")[1], signed().split(".")[2]]
    ),
    "larger than any": lambda: signed(more="x" * 30_000),
    "two in one header": lambda: f"{signed()}, Bearer {signed()}",
}


class Door:
    """One service for the whole module, which trusts one issuer."""

    def __init__(self, mode: str) -> None:
        self.runner = asyncio.Runner()
        self._opened = edge(HIP_CALLBACK_AUTH=mode, HIP_CALLBACK_ISSUER=REALM)
        self.edge: Edge = self.runner.run(self._opened.__aenter__())

    def close(self) -> None:
        self.runner.run(self._opened.__aexit__(None, None, None))
        self.runner.close()

    def knock(self, *authorizations: str) -> httpx.Response:
        """A callback with these Authorization headers."""
        headers = [(b"request-id", str(uuid4()).encode()), (b"x-hip-id", b"IN0410000123")]
        headers += [(b"authorization", each.encode()) for each in authorizations]

        async def post() -> httpx.Response:
            return await self.edge.http.post("/api/v3/hip/patient/share", content=b"{}", headers=headers)

        return self.runner.run(post())

    def stored(self) -> list[bool]:
        """Of every row that was kept whether it is proven to come from the gateway."""
        return [row.verified for row in self.runner.run(self.edge.callbacks())]


@pytest.fixture(scope="module", params=["enforce", "observe"])
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    door = Door(request.param)
    yield door
    door.close()


def refused(door: Door, *authorizations: str) -> None:
    before = len(door.stored())
    answer = door.knock(*authorizations)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"]
    assert SECRET not in answer.text
    assert len(door.stored()) == before


@pytest.mark.parametrize("attack", FORGED)
def test_cb_01_a_forged_token_gets_401_in_either_mode_and_leaves_nothing(door: Door, attack: str) -> None:
    refused(door, f"Bearer {FORGED[attack]()}")


@pytest.mark.parametrize("order", ["good first", "good last", "twice the same"])
def test_cb_01_two_authorization_headers_prove_nothing(door: Door, order: str) -> None:
    """What stands before us may have looked at the other one."""
    good, bad = f"Bearer {signed()}", f"Bearer {FORGED['alg none']()}"
    refused(door, *{"good first": (good, bad), "good last": (bad, good), "twice the same": (good, good)}[order])


def test_cb_01_the_gateways_own_token_passes_and_is_marked_so(door: Door) -> None:
    """Or all the refusals here would prove nothing."""
    assert door.knock(f"Bearer {signed()}").status_code == 202
    assert door.knock(f"Bearer {signed(KEYS.unused, kid=UNUSED_KID, alg='RS512')}").status_code == 202
    assert door.stored()[:2] == [True, True]


def test_cb_02_observed_a_missing_token_passes_and_is_marked_as_unproven() -> None:
    door = Door("observe")
    assert door.knock().status_code == 202
    assert door.stored() == [False]
    door.close()


def test_cb_01_a_flood_of_unknown_key_ids_asks_the_gateway_for_its_keys_once_more_at_most() -> None:
    async def story() -> None:
        async with edge() as service:
            assert (await service.call_back()).status_code == 202
            for number in range(50):
                answer = await service.call_back(authorization=f"Bearer {signed(kid=f'unknown-{number}')}")
                assert answer.status_code == 401
            assert len(await service.callbacks()) == 1
            fetched = await service.http.get(f"{ISSUER}/sandbox/journal", params={"path": "certs", "direction": "in"})
            assert len(fetched.json()) <= 2  # the first look, and one more

    asyncio.run(story())

"""Only the gateway gets in: every forged, stale and misdirected token is refused (CB-01, CB-02)."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from tests.unit.gateway import calls

from hip.adapters.gateway.errors import Unauthenticated
from hip.adapters.gateway.keys import SigningKey
from hip.adapters.gateway.verification import CallbackAuth, JwksVerifier, signed_claims
from hip.domain.errors import Transient

pytestmark = pytest.mark.anyio

# Made once: a key costs a tenth of a second.
UNUSED, SIGNING, STRANGE = (RSAKey.generate_key(2048, private=True) for _ in range(3))
NOW = int(calls.NOW.timestamp())
ISSUER = "https://dev.ndhm.gov.in/auth/realms/central-registry"


def jwk(key: RSAKey, kid: str, alg: str | None = "RS256", **more: Any) -> dict[str, Any]:
    public = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": alg, **more}
    return {name: value for name, value in public.items() if value is not None}


# Two keys as in the sandbox, the one in use second (contract §1.6): taking keys[0] fails.
PUBLISHED = [jwk(UNUSED, "unused", "RS512"), jwk(SIGNING, "signing")]


@dataclass
class Publisher:
    """The gateway's certs endpoint."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: list(PUBLISHED))
    down: bool = False
    asked: int = 0

    async def __call__(self) -> Mapping[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.down:
            raise Transient("the gateway cannot be reached")
        return {"keys": self.keys}


def claims(**changes: Any) -> dict[str, Any]:
    stated = {"iss": ISSUER, "aud": "account", "iat": NOW - 10, "exp": NOW + 590, **changes}
    return {name: value for name, value in stated.items() if value is not None}


def signed(key: Any = SIGNING, *, kid: str | None = "signing", alg: str = "RS256", **changes: Any) -> str:
    header = {"alg": alg, "kid": kid} if kid is not None else {"alg": alg}
    return "Bearer " + jwt.encode(header, claims(**changes), key, algorithms=[alg])


def by_hand(header: Mapping[str, Any], content: Any, sign: Any = lambda _signed: b"") -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, content)]
    signature = base64.urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"=")
    return "Bearer " + b".".join([*parts, signature]).decode()


@dataclass
class Door:
    publisher: Publisher = field(default_factory=Publisher)
    clock: calls.Ticking = field(default_factory=calls.Ticking)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.verifier = JwksVerifier(self.publisher, self.clock, **self.options)

    async def refuses(self, authorization: str | None) -> Unauthenticated:
        with pytest.raises(Unauthenticated) as raised:
            await self.verifier.verify(authorization)
        assert raised.value.__cause__ is None
        return raised.value

    async def admits(self, authorization: str) -> None:
        await self.verifier.verify(authorization)


async def test_a_token_of_the_gateway_is_admitted() -> None:
    await Door().admits(signed())


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    await Door().admits(signed().replace("Bearer", scheme))


async def test_an_rs512_key_signs_rs512() -> None:
    await Door().admits(signed(UNUSED, kid="unused", alg="RS512"))


async def test_the_audience_may_be_one_of_several() -> None:
    await Door().admits(signed(aud=["other", "account"]))


def hmac_with(key: bytes) -> Any:
    return lambda content: hmac.new(key, content, hashlib.sha256).digest()


PUBLIC_PEM = SIGNING.as_pem(private=False)

FORGED = {
    "another key under a known kid": signed(STRANGE),
    "the unused key under the kid of the signing key": signed(UNUSED),
    "an unknown kid": signed(kid="nobody"),
    "no kid": signed(kid=None),
    "a kid that is no text": by_hand({"alg": "RS256", "kid": 7}, claims()),
    "alg none": by_hand({"alg": "none", "kid": "signing"}, claims()),
    "alg None": by_hand({"alg": "None", "kid": "signing"}, claims()),
    "no alg": by_hand({"kid": "signing"}, claims()),
    "alg of a list": by_hand({"alg": ["RS256"], "kid": "signing"}, claims()),
    "HMAC with the public key as its secret": by_hand(
        {"alg": "HS256", "kid": "signing"}, claims(), hmac_with(PUBLIC_PEM)
    ),
    "HMAC under the name RS256": by_hand({"alg": "RS256", "kid": "signing"}, claims(), hmac_with(PUBLIC_PEM)),
    "an algorithm the key does not state": signed(alg="RS512"),
    "an RSA algorithm we do not know": signed(alg="PS256"),
    "an unknown critical header": by_hand({"alg": "RS256", "kid": "signing", "crit": ["x"], "x": 1}, claims()),
    "an embedded key": by_hand({"alg": "RS256", "kid": "nobody", "jwk": jwk(STRANGE, "nobody")}, claims()),
    "a cut signature": signed()[:-4],
    "no signature": signed().rpartition(".")[0] + ".",
    "expired": signed(exp=NOW - 61),
    "no expiry": signed(exp=None),
    "an expiry that is text": signed(exp=str(NOW + 600)),
    "an expiry that is true": signed(exp=True),
    "not valid yet": signed(nbf=NOW + 61),
    "issued in the future": signed(iat=NOW + 3600),
    "another audience": signed(aud="other"),
    "no audience": signed(aud=None),
    "an audience within another": signed(aud="my account"),
    "claims that are no object": by_hand({"alg": "RS256", "kid": "signing"}, [1]),
    "two parts": "Bearer a.b",
    "no token": "Bearer",
    "blank token": "Bearer  ",
    "another scheme": signed().replace("Bearer", "Basic"),
    "no scheme": signed().removeprefix("Bearer "),
    "not ASCII": signed() + "é",
    "far too long": "Bearer " + "a" * 20_000,
    "two tokens": signed() + " " + signed(),
    "header nested without end": "Bearer " + base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".e30.AA",
}


@pytest.mark.parametrize("authorization", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_stale_or_misdirected_token_is_refused(authorization: str) -> None:
    refusal = await Door().refuses(authorization)
    assert refusal.code == "ABDM-1066"
    assert str(refusal).isascii()
    assert not any(part in str(refusal) for part in authorization.split() if len(part) > 6)


@given(text=st.text(max_size=60))
@settings(max_examples=50)
async def test_no_text_whatever_passes(text: str) -> None:
    await Door().refuses(f"Bearer {text}")


@given(place=st.integers(min_value=0), flip=st.integers(1, 127))
@settings(max_examples=50, deadline=None)
async def test_no_token_with_one_changed_character_passes(place: int, flip: int) -> None:
    token = signed().removeprefix("Bearer ")
    at = place % len(token)
    changed = token[:at] + chr(ord(token[at]) ^ flip) + token[at + 1 :]
    # The last character of a part carries spare bits: what decodes to the same bytes is the same token.
    if [decoded(part) for part in changed.split(".")] != [decoded(part) for part in token.split(".")]:
        await Door().refuses(f"Bearer {changed}")


def decoded(part: str) -> bytes | str:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return part


@pytest.mark.parametrize("authorization", [None, "", "  "])
async def test_an_absent_header_has_a_code_of_its_own(authorization: str | None) -> None:
    assert (await Door().refuses(authorization)).code == "ABDM-2501"


async def test_clocks_may_differ_by_a_minute() -> None:
    await Door().admits(signed(exp=NOW - 59, iat=NOW - 600))
    await Door().admits(signed(nbf=NOW + 60, iat=NOW + 60))


async def test_the_audience_can_be_switched_off_and_issuers_allow_listed() -> None:
    await Door(options={"audience": None}).admits(signed(aud=None))
    await Door(options={"issuers": frozenset({ISSUER})}).admits(signed())
    await Door(options={"issuers": frozenset({ISSUER})}).refuses(signed(iss="https://elsewhere.example"))
    await Door(options={"issuers": frozenset({ISSUER})}).refuses(signed(iss=None))


@pytest.mark.parametrize(
    "key",
    [
        {**OctKey.generate_key(256).as_dict(), "kid": "odd", "alg": "HS256"},
        {**OctKey.generate_key(256).as_dict(), "kid": "odd", "alg": "RS256"},
        jwk(STRANGE, "odd", "HS256"),
        jwk(STRANGE, "odd", None),
        jwk(STRANGE, "odd", use="enc"),
        jwk(STRANGE, "odd", n=None),
        jwk(STRANGE, "odd", n="AQAB"),
        jwk(STRANGE, "odd", n=7),
        jwk(STRANGE, "odd", e="%%%"),
        "text",
        None,
    ],
)
async def test_a_published_key_that_must_not_sign_is_passed_over_and_the_others_serve(key: Any) -> None:
    door = Door(Publisher(keys=[key, *PUBLISHED]))
    await door.admits(signed())
    await door.refuses(signed(STRANGE, kid="odd"))


@pytest.mark.parametrize("content", [[], {}, None, "x"])
async def test_without_any_key_nothing_passes(content: Any) -> None:
    await Door(Publisher(keys=content)).refuses(signed())


async def test_many_callbacks_at_once_fetch_the_keys_once() -> None:
    door = Door()
    await asyncio.gather(*(door.admits(signed(jti=str(n))) for n in range(10)))
    assert door.publisher.asked == 1


async def test_an_unknown_kid_asks_again_but_once_a_minute() -> None:
    door = Door()
    await door.admits(signed())
    for _ in range(5):
        await door.refuses(signed(STRANGE, kid="new"))
    assert door.publisher.asked == 1
    door.clock.pass_(seconds=61)
    door.publisher.keys.append(jwk(STRANGE, "new"))
    await door.admits(signed(STRANGE, kid="new"))
    for _ in range(5):
        await door.refuses(signed(kid="nobody"))
    assert door.publisher.asked == 2


async def test_keys_serve_on_for_a_while_when_the_gateway_is_down_and_then_nobody_passes() -> None:
    door = Door()
    await door.admits(signed())
    door.publisher.down = True
    door.clock.pass_(hours=23)
    await door.admits(signed(jti="a", iat=NOW, exp=NOW + 90_000))
    door.clock.pass_(hours=1)
    await door.refuses(signed(jti="b", iat=NOW, exp=NOW + 90_000))
    door.publisher.down = False
    door.clock.pass_(seconds=61)
    await door.admits(signed(jti="c", iat=NOW, exp=NOW + 90_000))


async def test_while_the_keys_were_never_seen_nobody_passes_and_the_gateway_is_asked_sparingly() -> None:
    door = Door(Publisher(down=True))
    for _ in range(5):
        await door.refuses(signed())
    assert door.publisher.asked == 1
    door.publisher.down = False
    door.clock.pass_(seconds=5)
    await door.admits(signed())


async def test_a_withdrawn_key_stops_proving_what_was_remembered() -> None:
    door = Door()
    token = signed(exp=NOW + 90_000)
    await door.admits(token)
    door.publisher.keys = [jwk(STRANGE, "new")]
    door.clock.pass_(seconds=61)
    await door.admits(signed(STRANGE, kid="new"))
    await door.refuses(token)


async def test_a_remembered_token_still_expires() -> None:
    door = Door()
    token = signed()
    await door.admits(token)
    door.clock.pass_(seconds=651)
    await door.refuses(token)


async def test_a_token_without_end_is_proven_anew_when_the_keys_are_due() -> None:
    door = Door()
    token = signed(exp=10**12)
    await door.admits(token)
    door.publisher.keys = [jwk(STRANGE, "new")]
    door.clock.pass_(hours=1)
    await door.refuses(token)


@dataclass
class CountedChecks:
    """The real signature check, counted."""

    made: int = 0

    def __call__(self, token: str, signing: SigningKey) -> Mapping[str, Any]:
        self.made += 1
        return signed_claims(token, signing)


async def test_a_busy_gateway_costs_one_signature_check() -> None:
    checks = CountedChecks()
    door = Door(options={"check": checks})
    token = signed()
    await asyncio.gather(*(door.admits(token) for _ in range(20)))
    for _ in range(200):
        door.clock.pass_(seconds=1)
        await door.admits(token)
    assert (checks.made, door.publisher.asked) == (1, 1)
    await door.admits(signed(jti="the next session"))
    await door.admits(token)
    assert checks.made == 2


async def test_what_did_not_hold_is_checked_each_time() -> None:
    checks = CountedChecks()
    door = Door(options={"check": checks})
    for wrong in (signed(STRANGE), signed(aud="another"), signed(exp=NOW - 3600)):
        before = checks.made
        await door.refuses(wrong)
        await door.refuses(wrong)
        assert checks.made == before + 2


async def test_one_changed_character_of_a_remembered_token_is_another_token() -> None:
    checks = CountedChecks()
    door = Door(options={"check": checks})
    token = signed()
    await door.admits(token)
    head, payload, signature = token.split(".")
    other = "A" if signature[9] != "A" else "B"
    await door.refuses(f"{head}.{payload}.{signature[:9]}{other}{signature[10:]}")
    assert checks.made == 2


async def test_a_remembered_token_is_checked_again_from_its_expiry_on() -> None:
    """Within the leeway it still passes, but nothing is taken from memory any more."""
    checks = CountedChecks()
    door = Door(options={"check": checks})
    token = signed(exp=NOW + 100)
    door.clock.pass_(seconds=1)
    await door.admits(token)
    door.clock.pass_(seconds=98)
    await door.admits(token)
    assert checks.made == 1
    door.clock.pass_(seconds=1)
    await door.admits(token)
    await door.admits(token)
    assert checks.made == 3
    door.clock.pass_(seconds=61)
    await door.refuses(token)


async def test_a_token_proven_late_is_not_remembered_past_the_hour_of_the_keys() -> None:
    """Remembered for an hour of its own, it would outlive a key that was withdrawn within the first."""
    door = Door()
    await door.admits(signed(exp=NOW + 90_000))
    door.clock.pass_(minutes=59)
    token = signed(jti="late", exp=NOW + 90_000)
    await door.admits(token)
    door.publisher.keys = [jwk(STRANGE, "new")]
    door.clock.pass_(minutes=1)
    await door.refuses(token)


async def test_while_the_keys_cannot_be_renewed_a_token_is_checked_once_for_each_time_of_asking() -> None:
    checks = CountedChecks()
    door = Door(options={"check": checks})
    token = signed(exp=NOW + 900_000)
    await door.admits(token)
    door.publisher.down = True
    door.clock.pass_(hours=2)
    for _ in range(10):
        await door.admits(token)
    assert (checks.made, door.publisher.asked) == (2, 2)
    door.publisher.down, door.publisher.keys = False, [jwk(STRANGE, "new")]
    door.clock.pass_(seconds=60)
    await door.refuses(token)


async def test_no_more_than_a_bounded_number_of_tokens_is_remembered() -> None:
    door = Door()
    door.verifier._proven.update((n.to_bytes(2, "big"), float(NOW + 600)) for n in range(1024))
    await door.admits(signed())
    assert len(door.verifier._proven) <= 1024


async def test_enforced_every_callback_must_be_proven() -> None:
    auth = CallbackAuth(verifier=Door().verifier)
    assert await auth.check(signed()) is True
    for wrong in (None, signed(STRANGE)):
        with pytest.raises(Unauthenticated):
            await auth.check(wrong)


async def test_observed_an_absent_header_passes_as_unverified_and_a_wrong_one_does_not() -> None:
    auth = CallbackAuth(verifier=Door().verifier, enforce=False)
    assert await auth.check(None) is False
    assert await auth.check(" ") is False
    assert await auth.check(signed()) is True
    for wrong in ("Bearer", signed(STRANGE), FORGED["alg none"], FORGED["expired"]):
        with pytest.raises(Unauthenticated):
            await auth.check(wrong)

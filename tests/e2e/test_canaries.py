"""design.md rule 2, DATA-02, DATA-03: what is a patient's or a secret is found where it is stated, and nowhere else.

A whole service on real servers lives through every flow and through a bad day: refusals, a gateway that fails and
repeats what it was told, callbacks of strangers. The patient, the tokens and the secrets are canaries; afterwards
every place is searched for them, also through base64 and compression.

What may lie open for now is stated in ``STATED``: the searchable identifiers of a patient in PostgreSQL, AMRIT's two
collections with names and bundles, and the ABHA address as a business key. All else is sealed or not there.
"""

import asyncio
import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from abdm_ecdh import generate_key_material
from pymongo import MongoClient
from redis import Redis
from tests.builders.databases import a_postgres_database, connected, migrated
from tests.e2e import own_gateway as gw
from tests.e2e.outside import (
    ACCOUNT,
    CONSENT,
    CONTEXT_CALLBACK,
    HIP_ID,
    SHARE,
    TOKEN_CALLBACK,
    Outside,
    artefact,
    outside_of,
)
from tests.e2e.resting_places import RedisWatch, Resting, documents, places_of, readings, rows, said
from tests.servers import Servers

from hip.adapters.key_vault.local import LocalKeyVault
from hip.domain.identifiers import AbhaAddress, HipId

PHONE, NUMBER, ADDRESS = "9812345670", "91555566667777", "canarina.v77@sbx"
PATIENT = {
    "reference": "PAT-77001",
    "name": "Canarina Federspiel",
    "gender": "F",
    "birthDate": "1977-07-07",
    "phone": PHONE,
    "email": "postbox@canary.example",
    "abhaAddress": ADDRESS,
    "abhaNumber": NUMBER,
    "address": {"line": "77 Kanarienweg", "district": "Satara", "state": "Maharashtra", "pincode": "415001"},
}
PARTNER_ADDRESS = "canarino.f80@sbx"
PARTNER = {
    "reference": "PAT-77009",
    "name": "Canarino Federspiel",
    "gender": "M",
    "birthDate": "1980-08-08",
    "phone": "9812345671",
}
"""Without ABHA at the desk: found by the mobile number, linked by OTP."""
VISIT: dict[str, Any] = {
    "hipId": HIP_ID,
    "visitCode": "77001",
    "class": "AMB",
    "category": "General OPD",
    "start": "2026-03-12T10:05:00+05:30",
    "end": "2026-03-12T10:25:00+05:30",
    "hiTypes": ["OPConsultation", "Prescription"],
    "patient": PATIENT,
    "practitioner": {"id": "EMP-7", "name": "Ravi Rao"},
    "complaints": [{"text": "Canaryitis of the left wing"}],
    "diagnoses": [{"text": "Acute canaryitis"}],
    "medications": [{"text": "Canarytoxin 250 mg tablet", "dose": "1 tablet", "frequency": "TDS"}],
}
OTP = "739184265091"  # longer than a real one: six digits occur by chance in any digest
API_KEY, SECRET, PUSH_PATH = "canary-api-key-5d1f", "canary-client-secret-8c2e", "/v3/transfer/?for=canary-push-3b7a"

IN_BUNDLES = "Amrit_Resource.ResourceJson"
STATED: dict[str, set[str]] = {
    "name": {"patients.name", "PatientCareContexts.name", IN_BUNDLES},
    "phone": {"patients.phone", "PatientCareContexts.phoneNumber", IN_BUNDLES},
    "email": {"patients.email", "PatientCareContexts.email", IN_BUNDLES},
    "street": {"patients.address", IN_BUNDLES},
    "ABHA number": {
        "patients.abha_number",
        "generate_token_response.abha_number",
        "PatientCareContexts.HealthNumber",
        IN_BUNDLES,
    },
    "ABHA address": {
        "patients.abha_address",
        "care_context.linked_to",
        "discovery_request.consent_manager_user_id",
        "exchanges.business_key",
        "generate_token_response.abha_address",
        "initiated_link_request.abha_address",
        "link_attempts.abha_address",
        "queue_tokens.abha_address",
        "GenerateLinkTokenResponse.abhaAddress",
        "PatientCareContexts.HealthId",
        IN_BUNDLES,
    },
    "clinical text": {IN_BUNDLES},
    "secret": set(),
}
"""Where each kind may be read in clear: a place more is a leak, until it is stated here."""
WORDS: dict[str, tuple[str, ...]] = {
    "name": ("Federspiel",),
    "phone": (PHONE, "9812345671"),
    "email": ("postbox@canary",),
    "street": ("Kanarienweg",),
    "ABHA number": (NUMBER, "91-5555-6666-7777"),
    "ABHA address": ("canarina.v77", "canarino.f80"),
    "clinical text": ("Canarytoxin", "canaryitis"),
}


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """What was left when it was all over, and what strangers were told."""

    words: Mapping[str, tuple[str, ...]]
    resting: tuple[Resting, ...]
    queued: frozenset[Resting]
    refusals: tuple[httpx.Response, ...]
    link_token: str
    otp: str

    def places(self, kind: str) -> set[str]:
        return places_of(self.words[kind], self.resting)


@pytest.fixture(scope="module")
def aftermath(servers: Servers, mongo_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """One life of a service, on databases of its own."""
    folder = tmp_path_factory.mktemp("canaries")
    redis_url = f"{servers.redis_base_url}?db=15"  # no xdist worker's
    mongo_database = f"{servers.mongo_database}_canaries"
    keys = [{"name": "desk", "sha256": hashlib.sha256(API_KEY.encode()).hexdigest(), "hips": [HIP_ID]}]
    with Redis.from_url(redis_url) as redis, servers.scratch_database() as url:
        redis.flushdb()
        migrated(url)
        watch = RedisWatch(redis_url)
        with (
            watch.watching(),
            outside_of(
                "relay",
                "worker",
                folder=folder,
                key=API_KEY,
                secret=SECRET,
                push_path=PUSH_PATH,
                HIP_DATABASE_URL=url,
                HIP_MONGO_URL=mongo_url,
                HIP_MONGO_DATABASE=mongo_database,
                HIP_REDIS_URL=redis_url,
                HIP_KEY_FILE=str(folder / "hip.keys"),
                HIP_API_KEYS=json.dumps(keys),
                HIP_WAIT_SCALE="0.3",  # leases that outlast a busy machine's queue
            ) as outside,
        ):
            nonce = live(outside)
            refusals = suffer(outside)
            gw.until(lambda: not asyncio.run(undone(url)), lambda: str(asyncio.run(undone(url))))
            logs = said(outside.service)
            queued = left_waiting(outside, watch)
        resting = [*asyncio.run(rows(url)), *documents(mongo_url, mongo_database), *watch.seen, *logs]
        secrets = (OTP, API_KEY, SECRET, "canary-push-3b7a", nonce, *outside.link_tokens, *outside.gateway.issued)
        yield Aftermath(
            words={**WORDS, "secret": secrets},
            resting=tuple(resting),
            queued=frozenset(queued),
            refusals=refusals,
            link_token=asyncio.run(kept_token(url, outside)),
            otp=outside.otps[-1],
        )
        with MongoClient[dict[str, Any]](mongo_url) as client:
            client.drop_database(mongo_database)
        redis.flushdb()


def live(outside: Outside) -> str:
    """Every flow once; returns the nonce of the requester."""
    code = outside.link(VISIT)
    outside.discover(PATIENT, abha_address=ADDRESS, mobile=f"+91{PHONE}")
    consent_id, own = str(uuid4()), generate_key_material()
    outside.grant(artefact(consent_id, PATIENT, code, *VISIT["hiTypes"]))
    transaction, _ = outside.ask(consent_id, own)
    assert len(outside.requester.pages(transaction, 2)) == 2
    assert outside.account(transaction)["statusNotification"]["sessionStatus"] == "TRANSFERRED"
    assert "error" in outside.confirm(str(uuid4()), OTP)
    outside.hand_over({**VISIT, "visitCode": "77009", "patient": PARTNER})
    outside.gateway.call(gw.SMS)
    found = outside.discover(PARTNER, abha_address=PARTNER_ADDRESS, mobile="9812345671")
    reference = outside.choose(found, abha_address=PARTNER_ADDRESS)
    assert "patient" in outside.confirm(reference, outside.otps[-1])
    outside.show(f"/v1/transfers/{transaction}", lambda shown: shown["state"] == "done")
    scan(outside)
    renew(outside)
    outside.gateway.notify(ACCOUNT, {"notification": {"status": "DEACTIVATED", "patient": {"id": PARTNER_ADDRESS}}})
    return own.nonce


def scan(outside: Outside) -> None:
    """The patient shares a profile at a counter, and another that is refused; the gateway complains of the answer."""
    profile = {
        **{name: PATIENT[name] for name in ("name", "gender", "abhaNumber", "abhaAddress", "address")},
        "dayOfBirth": "07",
        "monthOfBirth": "07",
        "yearOfBirth": "1977",
        "phoneNumber": PHONE,
    }
    for intent in ("PROFILE_SHARE", "PAYMENT_SHARE"):
        place = {"hipId": HIP_ID, "context": "7"}
        asked = outside.gateway.notify(SHARE, {"intent": intent, "metaData": place, "profile": {"patient": profile}})
        told, _ = outside.gateway.call(gw.ON_SHARE, lambda body, asked=asked: body["response"]["requestId"] == asked)
        assert ("error" in told) is (intent == "PAYMENT_SHARE")


def renew(outside: Outside) -> None:
    """A new version of what is linked; the gateway takes the news, then refuses it in the patient's own words."""
    outside.hand_over({**VISIT, "complaints": [{"text": "Canaryitis of the right wing"}]})
    _, call = outside.gateway.call(gw.CONTEXT_NOTIFY)
    error = {"code": "ABDM-1044", "message": f"{PATIENT['name']}, {ADDRESS}, {PHONE}, was not told"}
    outside.gateway.notify(CONTEXT_CALLBACK, {"error": error, "response": {"requestId": call.id}})


def suffer(outside: Outside) -> tuple[httpx.Response, ...]:
    """A bad day: everything that makes a service write a line or answer with an error. Returns the error answers."""
    gateway, hmis = outside.gateway, outside.hmis
    known = str(uuid4())
    body = {"notification": {"status": "GRANTED", "consentId": str(uuid4()), "patient": PATIENT}}
    assert gateway.call_back(CONSENT, body, request_id=known).status_code == 202  # taken, and found malformed later
    stranger = [PATIENT, {"otp": OTP}]
    refusals = [
        hmis.post("/v1/visits", json={**VISIT, "patient": {**PATIENT, "phone": f"{PHONE} {OTP}"}}),
        hmis.post("/v1/visits", json={**VISIT, "patient": {**PATIENT, "abhaNumber": f"{NUMBER}0"}}),
        hmis.post("/v1/visits", json={**VISIT, "complaint": PATIENT}),
        hmis.post("/v1/visits", json={**VISIT, "complaints": "Canaryitis"}),
        hmis.post("/v1/visits", json={**VISIT, "hipId": PHONE}),
        hmis.post("/v1/visits", content=json.dumps(VISIT)[:-5]),
        hmis.post("/v1/visits", json=VISIT, headers={"X-API-Key": f"{API_KEY}-not"}),
        hmis.get("/v1/links", params={"hip": PHONE}),
        gateway.call_back(CONSENT, stranger),
        gateway.call_back(CONSENT, raw=json.dumps(stranger).encode()[:-3]),
        gateway.call_back(CONSENT, body, authorization=f"Bearer {gateway.token(aud=ADDRESS)}"),
        gateway.call_back(CONSENT, body, authorization=f"Bearer {OTP}.{PHONE}.{NUMBER}"),
        gateway.call_back(CONSENT, body, x_hip_id=PHONE),
        gateway.call_back(CONSENT, {**body, "more": stranger}, request_id=known),
    ]
    gateway.notify(TOKEN_CALLBACK, {"abhaAddress": ADDRESS, "linkToken": OTP, "response": {"requestId": str(uuid4())}})
    gateway.broken, tried = True, len(gateway.calls(gw.LINK))
    code = outside.hand_over({**VISIT, "visitCode": "77002"})
    gw.until(lambda: len(gateway.calls(gw.LINK)) > tried + 1, lambda: hmis.get("/v1/exchanges").text)
    gateway.broken = False
    outside.show(f"/v1/links/{code}", lambda shown: shown["requestId"])
    return tuple(refusals)


def left_waiting(outside: Outside, watch: RedisWatch) -> set[Resting]:
    """What lies in the queue while no worker is there to take it."""
    outside.service.processes.pop("worker").stop()
    outside.hand_over({**VISIT, "visitCode": "77003"})
    queued: set[Resting] = set()

    def jobs() -> bool:
        queued.clear()
        queued.update(each for each in watch.look() if each.place == "Redis rq:job")
        return bool(queued)

    gw.until(jobs, lambda: "nothing was queued")
    return queued


async def undone(url: str) -> list[str]:
    """Topics of the outbox rows that no worker has finished: AMRIT's collections are written last of all."""
    connection = await connected(url)
    try:
        found = await connection.fetch("SELECT topic FROM outbox WHERE state IN ('ready', 'leased')")
    finally:
        await connection.close()
    return [topic for (topic,) in found]


async def kept_token(url: str, outside: Outside) -> str:
    """The link token as the service itself reads it back: it was sealed, not thrown away."""
    vault = LocalKeyVault.open(Path(outside.settings["HIP_KEY_FILE"]))
    database = a_postgres_database(url, vault=vault)
    try:
        async with database.unit() as uow:
            token = await uow.link_tokens.current(HipId(HIP_ID), AbhaAddress(ADDRESS), now=datetime.now(UTC))
    finally:
        await database.close()
    return token.value if token else ""


@pytest.mark.parametrize("kind", STATED)
def test_data_01_what_is_the_patients_or_secret_lies_where_it_is_stated_and_nowhere_else(
    aftermath: Aftermath, kind: str
) -> None:
    assert aftermath.places(kind) <= STATED[kind]


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("name", "patients.name"),
        ("name", IN_BUNDLES),
        ("name", "PatientCareContexts.name"),
        ("ABHA address", "exchanges.business_key"),
        ("clinical text", IN_BUNDLES),
    ],
)
def test_the_search_finds_what_is_there(aftermath: Aftermath, kind: str, place: str) -> None:
    """A search that finds nothing anywhere would prove nothing."""
    assert place in aftermath.places(kind)


def test_ret_02_whoever_closed_the_account_lies_nowhere_by_its_address(aftermath: Aftermath) -> None:
    """Not where it was stated either; what Redis held was looked at while the account was still open."""
    resting = [each for each in aftermath.resting if not each.place.startswith("Redis")]
    assert places_of([PARTNER_ADDRESS.partition("@")[0]], resting) == set()


def test_otp_01_the_otp_that_went_to_the_telephone_lies_nowhere(aftermath: Aftermath) -> None:
    """As a word of its own: six digits within a digest or a fraction of a second are nobody's OTP."""
    word = re.compile(rb"(?<![\w.+/=-])%s(?![\w+/=-])" % aftermath.otp.encode())
    assert word.search(b'{"otp": "%s"}' % aftermath.otp.encode())
    assert {each.place for each in aftermath.resting if any(map(word.search, readings(each.content)))} == set()


def test_the_search_sees_through_compression_and_base64() -> None:
    for hidden in (
        zlib.compress(b'["callback", "Canarytoxin"]'),
        b"key1" + base64.b64encode(b"Canarytoxin, twice a day"),
        b"v2" + base64.b64encode(b"Canarytoxin, twice a day"),
        b'{"SealedBody": "' + base64.b64encode(b"a Canarytoxin tablet") + b'"}',
        b"eyJ." + base64.urlsafe_b64encode(b'{"name":"\xc3\xbf Canarytoxin"}').rstrip(b"=") + b".c2ln",
    ):
        assert b"Canarytoxin" not in hidden
        assert places_of(["canaryTOXIN"], [Resting(place="here", content=hidden)]) == {"here"}


def test_what_is_sealed_was_kept(aftermath: Aftermath) -> None:
    """The tokens, the bodies and the visits are not in clear because they are sealed, not because they are gone."""
    assert aftermath.link_token in aftermath.words["secret"]
    sealed: dict[str, int] = {}
    for each in aftermath.resting:
        sealed[each.place] = max(sealed.get(each.place, 0), len(each.content))
    for place in (
        "callbacks.sealed_body",
        "visits.sealed_source",
        "generate_token_response.link_token",
        "data_flow_request.health_information_request",
        "consents.sealed_artefact",
        "NDHMResponse.responsedata",
        "GenerateLinkTokenResponse.response",
        "Redis hip:link-token",
    ):
        assert sealed.get(place, 0) > 64, place


def test_a_queued_job_holds_a_topic_and_numbers_only(aftermath: Aftermath) -> None:
    """design.md: ids only. The jobs were taken while no worker ran, and out of their compression."""
    opened = {reading for each in aftermath.queued for reading in readings(each.content)}
    arguments = [json.loads(reading) for reading in opened if b"hip.entrypoints.worker.jobs.run" in reading[:64]]
    assert arguments
    for function, _, (topic, claims), more in (each for each in arguments if isinstance(each, list)):
        assert (function, more) == ("hip.entrypoints.worker.jobs.run", {})
        assert topic in {"callback", "transfer", "link", "sms", "bundle", "projection", "audit"}
        assert all(isinstance(number, int) for claim in claims for number in claim)
    assert places_of([word for words in aftermath.words.values() for word in words], aftermath.queued) == set()


def test_data_03_a_bad_day_is_logged_by_kind_and_code(aftermath: Aftermath) -> None:
    """The logs are searched above; here is the proof that there was something to search."""
    logs = {each.place: each.content for each in aftermath.resting if each.place.endswith("log")}
    assert set(logs) == {"serve's log", "relay's log", "worker's log"}
    events = {json.loads(line)["event"] for log in logs.values() for line in log.splitlines()}
    assert {"relay-started", "worker-started", "callback-unauthenticated", "callback-conflict"} <= events
    assert any(b'"topic": "link"' in line for line in logs["worker's log"].splitlines())


def test_api_03_an_error_answer_repeats_nothing_it_was_told(aftermath: Aftermath) -> None:
    words = [word for words in aftermath.words.values() for word in words]
    for response in aftermath.refusals:
        assert response.is_client_error, response.text
        assert response.json()["error"]["message"]
        request = response.request
        headers = repr(request.headers.raw).encode()
        sent = Resting(place="sent", content=headers + request.url.raw_path + request.content)
        told = Resting(place="told", content=repr(response.headers.raw).encode() + response.content)
        assert places_of(words, [sent]) == {"sent"}
        assert places_of(words, [told]) == set(), response.text

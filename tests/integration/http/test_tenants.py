"""A key sees its own facility's things and nothing of another's, at every path that the API describes (API-02)."""

import asyncio
import hashlib
import json
import re
from typing import Any
from uuid import uuid4

from tests.builders.edge import Edge, edge
from tests.builders.visits import MEERA, a_visit

from hip.adapters.visit_records.records import JsonVisitRecords
from hip.application.storage import Listing
from hip.domain.errors import InvalidValue
from hip.domain.identifiers import HipId
from hip.entrypoints import stored_records, stored_visits
from hip.entrypoints.stored import Stored, found, listed

OURS, THEIRS = "IN0410000123", "IN0410000999"
KEYS = {OURS: "key-of-ours", THEIRS: "key-of-theirs"}
CANARY = "Canary Kulkarni"
DISCOVER, CONSENT, SHARE = (
    "/api/v3/hip/patient/care-context/discover",
    "/api/v3/consent/request/hip/notify",
    "/api/v3/hip/patient/share",
)
EVERYTHING = [
    value for module in (stored_records, stored_visits) for value in vars(module).values() if isinstance(value, Stored)
]


def configured() -> dict[str, str]:
    keys = [{"name": h, "sha256": hashlib.sha256(k.encode()).hexdigest(), "hips": [h]} for h, k in KEYS.items()]
    return {"HIP_API_KEYS": json.dumps(keys)}


async def filled(service: Edge) -> None:
    """The same visit code and patient number at both; what is ours has a plain name, what is theirs the canary's."""
    for hip_id, name in ((OURS, MEERA.name), (THEIRS, CANARY)):
        record = json.loads(JsonVisitRecords().write(a_visit()))
        record |= {"hipId": hip_id}
        record["patient"] |= {"name": name}
        for code in ("88120", f"only-{hip_id}"):
            handed = await service.http.post(
                "/v1/visits", json=record | {"visitCode": code}, headers={"X-API-Key": KEYS[hip_id]}
            )
            assert handed.status_code == 202, handed.text
        profile = {"id": "meera.k01@sbx", "name": name, "gender": "F", "yearOfBirth": 1984}
        for path, body in (
            (DISCOVER, {"transactionId": str(uuid4()), "patient": profile}),
            (CONSENT, {"notification": {"status": "REVOKED", "consentId": str(uuid4())}}),
            (SHARE, share_of(hip_id, name)),
        ):
            taken = await service.call_back(path, body, x_hip_id=hip_id)
            assert taken.status_code == 202, taken.text
    await service.idle()


def share_of(hip_id: str, name: str) -> dict[str, Any]:
    patient = {"abhaNumber": "91-1234-5678-9012", "abhaAddress": "meera.k01@sbx", "name": name, "gender": "F"}
    birth = {"dayOfBirth": "9", "monthOfBirth": "4", "yearOfBirth": "1984", "phoneNumber": "9876543210"}
    return {
        "intent": "PROFILE_SHARE",
        "metaData": {"hipId": hip_id, "context": "12345"},
        "profile": {"patient": {**patient, **birth}},
    }


def ids_in(text: str) -> set[str]:
    """Every value that may be a key of something."""
    return set(re.findall(r'"(?:visitCode|id|transactionId|consentId|linkReference|requestId)":"([^"]+)"', text))


async def described(service: Edge) -> list[str]:
    document = (await service.http.get("/schema/openapi.json")).json()
    paths = [path for path, operations in document["paths"].items() if "get" in operations and path.startswith("/v1")]
    assert len(paths) >= 11
    return paths


def test_no_path_shows_a_key_what_is_another_facilitys() -> None:
    async def story() -> None:
        async with edge(**configured()) as service:
            await filled(service)
            paths = await described(service)
            theirs = {
                path: (await service.http.get(path, headers={"X-API-Key": KEYS[THEIRS]})).text
                for path in paths
                if "{" not in path
            }
            assert CANARY in "".join(theirs.values())
            known = {key for text in theirs.values() for key in ids_in(text)} - {"88120"}
            assert f"only-{THEIRS}" in known
            asked = 0
            for path in paths:
                for key in sorted(known) if "{" in path else [""]:
                    for query in ("", f"?hip={THEIRS}", f"?hip={OURS}"):
                        url = re.sub(r"{[^}]+}", key, path) + query
                        seen = await service.http.get(url, headers={"X-API-Key": KEYS[OURS]})
                        asked += 1
                        assert CANARY not in seen.text, url
                        # A refusal may repeat the key that was asked for.
                        assert THEIRS not in (seen.text.replace(key, "") if key else seen.text), url
                        if query.endswith(THEIRS):
                            assert seen.status_code == 403, url
                        elif key:
                            assert seen.status_code == 404, url
                        else:
                            assert seen.status_code == 200, url
                            assert all(row["hipId"] == OURS for row in seen.json()), url
            assert asked > 100

    asyncio.run(story())


def test_the_same_key_of_two_facilities_shows_each_its_own() -> None:
    async def story() -> None:
        async with edge(**configured()) as service:
            await filled(service)
            for hip_id, key in KEYS.items():
                shown = await service.http.get("/v1/visits/88120", headers={"X-API-Key": key})
                assert shown.json()["hipId"] == hip_id

    asyncio.run(story())


def test_a_key_writes_for_no_other_facility() -> None:
    async def story() -> None:
        async with edge(**configured()) as service:
            record = json.loads(JsonVisitRecords().write(a_visit())) | {"hipId": THEIRS}
            refused = await service.http.post("/v1/visits", json=record, headers={"X-API-Key": KEYS[OURS]})
            assert refused.status_code == 400
            async with service.adapters.units()() as uow:
                assert await uow.visits.list(Listing()) == []

    asyncio.run(story())


def test_every_list_and_show_of_the_command_line_keeps_to_the_hip_it_is_given() -> None:
    async def story() -> None:
        async with edge(**configured()) as service:
            await filled(service)
            units, bundles = service.adapters.units(), service.adapters.bundles()
            compared = 0
            for each in EVERYTHING:
                ours = await listed(each, units, bundles, [Listing(hip_id=HipId(OURS))])
                assert all(row["hipId"] == OURS for row in ours), each.name
                theirs = await listed(each, units, bundles, [Listing(hip_id=HipId(THEIRS))])
                for key in sorted(ids_in(json.dumps(list(theirs), separators=(",", ":"), default=str))):
                    try:
                        held = await found(each, units, bundles, [HipId(OURS)], key)
                    except InvalidValue:  # no key of such a thing
                        continue
                    assert held is None or held[0] == OURS, (each.name, key)
                    compared += 1
            assert len(EVERYTHING) >= 8
            assert compared > 10

    asyncio.run(story())

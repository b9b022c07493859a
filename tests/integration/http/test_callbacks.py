"""The callback edge: who is let in, what is stored before the 202, and what bad input is told."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.builders.edge import CONSENT_PATH, OTHER_KEYS, REVOKED, edge

from hip.domain.callbacks import CallbackState
from hip.domain.identifiers import ConsentId, HipId, TransactionId
from hip.entrypoints.http.envelopes import DEEPEST, LONGEST_ARRAY, LONGEST_PATH, MAX_BODY, MAX_CONSENT_BODY

DISCOVER = {
    "transactionId": "5f0d5a0e-2f7b-49d8-9a9f-3a5c4b0d7e21",
    "patient": {"id": "meera.k01@sbx", "name": "Meera Kulkarni", "gender": "F", "yearOfBirth": 1984},
}


def test_a_callback_is_stored_sealed_acknowledged_and_then_worked_on():
    async def story() -> None:
        async with edge() as service:
            response = await service.call_back("/api/v3/hip/patient/care-context/discover", DISCOVER)
            assert response.status_code == 202
            await service.idle()
            [callback] = await service.callbacks()
            assert callback.state is CallbackState.DONE
            assert callback.verified
            assert callback.sealed_body is not None
            assert b"Meera" not in callback.sealed_body
            assert ("authorization", len(f"Bearer {service.token()}")) in callback.headers
            async with service.adapters.units()() as uow:
                written = await uow.discoveries.get(
                    HipId("IN0410000123"), TransactionId("5f0d5a0e-2f7b-49d8-9a9f-3a5c4b0d7e21")
                )
            assert written is not None

    asyncio.run(story())


def test_ret_01_a_revocation_leaves_a_tombstone_and_no_body():
    async def story() -> None:
        async with edge() as service:
            assert (await service.call_back()).status_code == 202
            await service.idle()
            async with service.adapters.units()() as uow:
                consent = await uow.consents.get(HipId("IN0410000123"), ConsentId(REVOKED["notification"]["consentId"]))
            assert consent is not None
            assert consent.status.ended
            assert consent.artefact is None

    asyncio.run(story())


def _unsigned() -> str:
    parts = [{"alg": "none", "typ": "JWT"}, {"aud": "account", "exp": 4102444800}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="no header"),
        pytest.param("Basic dXNlcjpwYXNz", id="no bearer"),
        pytest.param("Bearer not-a-token", id="not a JWT"),
        pytest.param(f"Bearer {_unsigned()}", id="alg none"),
        pytest.param("other keys", id="signed by somebody else"),
        pytest.param("expired", id="expired"),
    ],
)
def test_cb_01_whoever_does_not_prove_to_be_the_gateway_gets_401_and_nothing_is_stored(authorization):
    async def story() -> None:
        async with edge() as service:
            sent = authorization
            if authorization == "other keys":
                sent = f"Bearer {service.token(OTHER_KEYS)}"
            elif authorization == "expired":
                sent = f"Bearer {service.token(at=datetime.now(UTC) - timedelta(hours=1))}"
            response = await service.call_back(authorization=sent)
            assert response.status_code == 401
            assert "error" in response.json()
            assert await service.callbacks() == []

    asyncio.run(story())


def test_cb_02_observe_takes_a_callback_without_a_token_as_unverified_but_never_a_wrong_one():
    async def story() -> None:
        async with edge(HIP_CALLBACK_AUTH="observe") as service:
            assert (await service.call_back(authorization=None)).status_code == 202
            assert (await service.call_back(authorization=f"Bearer {_unsigned()}")).status_code == 401
            [callback] = await service.callbacks()
            assert not callback.verified

    asyncio.run(story())


@pytest.mark.parametrize(
    ("changes", "status", "code", "named"),
    [
        pytest.param({"request_id": None}, 400, "ABDM-1006", "REQUEST-ID", id="no REQUEST-ID"),
        pytest.param({"raw": b"{not json"}, 400, "ABDM-1006", "body", id="not JSON"),
        pytest.param({"raw": b"\xff\xfe{}"}, 400, "ABDM-1006", "body", id="not UTF-8"),
        pytest.param({"raw": b"[1]"}, 400, "ABDM-1006", "body", id="not an object"),
        pytest.param({"raw": b"[" * 100_000}, 400, "ABDM-1006", "body", id="deep nesting"),
        pytest.param({"x_hip_id": "IN0000000000"}, 400, "ABDM-1035", "X-HIP-ID", id="unknown HIP"),
        pytest.param({"x_hip_id": None}, 400, "ABDM-1035", "X-HIP-ID", id="no HIP"),
    ],
)
def test_a_bad_envelope_is_told_what_was_expected_and_leaves_only_a_hash(changes, status, code, named):
    async def story() -> None:
        async with edge() as service:
            response = await service.call_back(**changes)
            assert response.status_code == status
            error = response.json()["error"]
            assert error["code"] == code
            assert error["message"].startswith(named)
            [callback] = await service.callbacks()
            assert callback.state is CallbackState.REJECTED
            assert callback.sealed_body is None
            assert len(callback.body_hash) == 64

    asyncio.run(story())


@pytest.mark.parametrize(
    "path", [pytest.param("/api/v3/a%00b", id="a NUL"), pytest.param("/api/v3/" + "%E0%A4%85" * 400, id="1,208 bytes")]
)
def test_a_path_that_no_store_can_keep_gets_400_and_leaves_only_a_hash(path):
    async def story() -> None:
        async with edge() as service:
            response = await service.call_back(path)
            assert response.status_code == 400
            assert response.json()["error"]["message"].startswith("path")
            [callback] = await service.callbacks()
            assert (callback.state, callback.sealed_body) == (CallbackState.REJECTED, None)
            assert len(callback.path.encode()) <= LONGEST_PATH
            assert "\0" not in callback.path

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "size"),
    [("/api/v3/hip/patient/care-context/discover", MAX_BODY + 1), (CONSENT_PATH, MAX_CONSENT_BODY + 100)],
)
def test_cb_07_a_body_over_the_limit_gets_413(path, size):
    async def story() -> None:
        async with edge() as service:
            response = await service.call_back(path, raw=b'{"a":"' + b"x" * size + b'"}')
            assert response.status_code == 413
            [callback] = await service.callbacks()
            assert (callback.state, callback.sealed_body) == (CallbackState.REJECTED, None)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        pytest.param(
            b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST, b'{"a":' * 65 + b"1" + b"}" * 65, id="levels of nesting"
        ),
        pytest.param(
            b'{"a":[' + b"0," * (LONGEST_ARRAY - 1) + b"0]}", b'{"a":[' + b"0," * LONGEST_ARRAY + b"0]}", id="an array"
        ),
    ],
)
def test_cb_07_json_over_a_limit_gets_413_and_up_to_it_202(within, beyond):
    async def story() -> None:
        async with edge() as service:
            assert (await service.call_back("/api/v3/new", raw=within)).status_code == 202
            assert (await service.call_back("/api/v3/new", raw=beyond)).status_code == 413
            rejected = [callback.state is CallbackState.REJECTED for callback in await service.callbacks()]
            assert sorted(rejected) == [False, True]

    asyncio.run(story())


def test_a_byte_order_mark_costs_no_callback():
    async def story() -> None:
        async with edge() as service:
            assert (await service.call_back(raw=b"\xef\xbb\xbf" + json.dumps(REVOKED).encode())).status_code == 202
            await service.idle()
            assert [callback.state for callback in await service.callbacks()] == [CallbackState.DONE]

    asyncio.run(story())


@pytest.mark.parametrize("named", [None, "IN0000000000"])
def test_cb_05_without_our_id_in_a_header_the_facility_that_knows_the_transaction_is_found(named):
    async def story() -> None:
        async with edge() as service:
            theirs = "IN0410000999"
            discover = "/api/v3/hip/patient/care-context/discover"
            assert (await service.call_back(discover, DISCOVER, x_hip_id=theirs)).status_code == 202
            await service.idle()
            init = {"transactionId": DISCOVER["transactionId"], "abhaAddress": "meera.k01@sbx", "patient": []}
            answer = await service.call_back("/api/v3/hip/link/care-context/init", init, x_hip_id=named)
            assert answer.status_code == 202
            assert {callback.hip_id for callback in await service.callbacks()} == {theirs}

    asyncio.run(story())


def test_cb_05_a_transaction_that_two_facilities_know_names_neither():
    async def story() -> None:
        async with edge() as service:
            discover = "/api/v3/hip/patient/care-context/discover"
            for hip_id in ("IN0410000123", "IN0410000999"):
                assert (await service.call_back(discover, DISCOVER, x_hip_id=hip_id)).status_code == 202
            await service.idle()
            answer = await service.call_back(discover, DISCOVER, x_hip_id=None)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ABDM-1035")

    asyncio.run(story())


def test_cb_04_a_repeat_is_acknowledged_once_more_and_another_body_under_the_same_id_is_a_conflict():
    async def story() -> None:
        async with edge() as service:
            first = await service.call_back(request_id="same")
            again = await service.call_back(request_id="same")
            other = await service.call_back(request_id="same", body={"notification": {"status": "EXPIRED"}})
            assert (first.status_code, again.status_code, other.status_code) == (202, 202, 409)
            assert other.json()["error"]["code"] == "ABDM-1064"
            assert len(await service.callbacks()) == 1

    asyncio.run(story())


def test_cb_05_the_same_id_for_two_facilities_are_two_callbacks():
    async def story() -> None:
        async with edge() as service:
            await service.call_back(request_id="same")
            await service.call_back(request_id="same", x_hip_id="IN0410000999")
            assert {callback.hip_id for callback in await service.callbacks()} == {"IN0410000123", "IN0410000999"}

    asyncio.run(story())


def test_x_hiu_id_names_the_facility_where_x_hip_id_is_missing():
    async def story() -> None:
        async with edge() as service:
            response = await service.call_back(x_hip_id=None, x_hiu_id="IN0410000123")
            assert response.status_code == 202

    asyncio.run(story())


@pytest.mark.parametrize("path", ["/api/v3/something/new", "/v3/new", "/api/v4/new", "/v0.5/new", "/new"])
def test_a_path_without_a_flow_is_kept_and_acknowledged(path):
    async def story() -> None:
        async with edge() as service:
            assert (await service.call_back(path, body={"a": 1}, authorization=None)).status_code == 401
            response = await service.call_back(path, body={"a": 1})
            assert response.status_code == 202
            await service.idle()
            [callback] = await service.callbacks()
            assert callback.state is CallbackState.UNKNOWN

    asyncio.run(story())


@pytest.mark.parametrize("before", ["", "/api", "/ndhm/api", "/fhir-gateway/hip//api"])
def test_cb_08_a_reverse_proxy_may_put_its_own_path_before_ours(before):
    async def story() -> None:
        async with edge() as service:
            response = await service.call_back(f"{before}/v3/consent/request/hip/notify/")
            assert response.status_code == 202
            await service.idle()
            assert [callback.state for callback in await service.callbacks()] == [CallbackState.DONE]

    asyncio.run(story())


def test_a_malformed_callback_is_acknowledged_and_its_row_names_the_field():
    async def story() -> None:
        async with edge() as service:
            response = await service.call_back(body={"notification": {"status": "REVOKED"}})
            assert response.status_code == 202
            await service.idle()
            [callback] = await service.callbacks()
            assert callback.state is CallbackState.FAILED
            assert callback.error is not None
            assert "notification.consentId" in callback.error
            async with service.adapters.units()() as uow:
                assert list(await uow.consents.list(_all())) == []

    asyncio.run(story())


def _all():
    from hip.application.storage import Listing

    return Listing()


@pytest.mark.parametrize("timestamp", ["yesterday", "2020-01-01T00:00:00.000Z", None])
def test_a_callback_whose_timestamp_is_off_is_taken_and_marked_late(timestamp):
    async def story() -> None:
        async with edge() as service:
            assert (await service.call_back(timestamp=timestamp)).status_code == 202
            [callback] = await service.callbacks()
            assert callback.late

    asyncio.run(story())


def test_storage_that_is_down_is_503_and_never_202():
    async def story() -> None:
        async with edge() as service:
            service.adapters.database().down = True
            response = await service.call_back()
            assert response.status_code == 503
            assert "Retry-After" in response.headers
            ready = await service.http.get("/health/ready")
            assert ready.status_code == 503
            service.adapters.database().down = False
            assert (await service.call_back()).status_code == 202

    asyncio.run(story())


def test_the_heartbeat_needs_no_token_and_tells_no_detail():
    async def story() -> None:
        async with edge() as service:
            for path in ("/v0.5/heartbeat", "/api/v3/heartbeat", "/v3/heartbeat"):
                response = await service.http.get(path)
                assert response.status_code == 200
                assert response.json()["status"] == "UP"
                assert set(response.json()) == {"timestamp", "status", "error"}

    asyncio.run(story())

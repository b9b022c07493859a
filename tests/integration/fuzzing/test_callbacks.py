"""What the gateway delivers is answered without a 5xx, and what it rightly delivers is never lost (CB-04, CB-07).

A message is *right* when the contract's tolerances (§1.4, §1.9) make it one, however it is spelt: it must come to its
effect. Whatever else is delivered ends in a row that says why.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.fuzzing.changes import changed_somewhere
from tests.integration.fuzzing.examples import examples
from tests.integration.fuzzing.messages import KINDS, headers, message, otherwise_written, our_call, paths
from tests.integration.fuzzing.stores import EACH, House, opened_on

from hip.application.storage import Listing
from hip.domain.callbacks import Callback, CallbackState


@pytest.fixture(scope="module", params=EACH)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened_on(request, tmp_path_factory.mktemp("callbacks")) as opened:
        yield opened


async def newest(house: House, limit: int = 1) -> list[Callback]:
    async with house.edge.adapters.units()() as uow:
        return list(await uow.callbacks.list(Listing(limit=limit)))


async def has_its_effect(house: House, kind: str, data: st.DataObject) -> None:
    """One right message, delivered once or repeated, comes to exactly one row that is done, and to what it is for."""
    told, edge = message(kind), house.edge
    async with edge.adapters.units()() as uow:
        call = our_call(told, now=edge.adapters.clock()())
        if call is not None:
            await uow.exchanges.save(call)
            await uow.commit()
    path, named = data.draw(paths(KINDS[kind].path)), data.draw(headers())
    raw = data.draw(otherwise_written(told))
    for _ in range(data.draw(st.integers(min_value=1, max_value=2))):
        answer = await edge.call_back(path, raw=raw, request_id=told.request_id, **named)
        assert answer.status_code == 202, (kind, answer.text, raw)
    await house.work()
    rows = [row for row in await newest(house, 20) if row.request_id == told.request_id]
    assert [(row.state, row.error) for row in rows] == [(CallbackState.DONE, None)], (kind, raw)
    async with edge.adapters.units()() as uow:
        assert await KINDS[kind].shows(uow, told), (kind, raw)


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_callback_has_its_effect_however_it_is_written(house: House, kind: str) -> None:
    @examples(4)
    @given(data=st.data())
    def holds(data: st.DataObject) -> None:
        house.run(has_its_effect(house, kind, data))

    holds()


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_a_right_callback_has_its_effect_however_it_is_written_many_times(house: House, kind: str) -> None:
    @examples(100)
    @given(data=st.data())
    def holds(data: st.DataObject) -> None:
        house.run(has_its_effect(house, kind, data))

    holds()


_IDS = st.one_of(
    st.builds(lambda: str(uuid4())),
    st.sampled_from(["same", "x" * 255, "x" * 256, " ", "\xe9", "a b", "%00", None]),
)
_RAW = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b'"text"',
            b"{" * 5000,
            b"[" * 100_000,
            b'{"a":' * 64 + b"1" + b"}" * 64,
            b'{"transactionId":"a","transactionId":"b"}',
            b'{"patient":{"id":1e400}}',
            b'{"notification":{"status":"REVOKED","consentId":NaN}}',
            b'{"notification":{"status":"REVOKED","consentId":"\\ud800"}}',
            b'{"notification":{"status":"REVOKED","consentId":"a\\u0000b"}}',
            '{"transactionId":"ü"}'.encode("utf-16"),
            b'{"confirmation":{"token":' + b"9" * 5000 + b',"linkRefNumber":"x"}}',
            b"\xef\xbb\xbf{}",
            b'{"a":"' + b"x" * (1024 * 1024) + b'"}',
        ]
    ),
)


def _dumped(content: Any) -> bytes:
    return json.dumps(content).encode()


_DELIVERIES = st.sampled_from(list(KINDS)).flatmap(
    lambda kind: st.tuples(
        st.one_of(paths(KINDS[kind].path), st.text(max_size=20).map(lambda tail: "/api/v3/" + quote(tail))),
        st.one_of(changed_somewhere(message(kind).body).map(_dumped), _RAW),
    )
)


async def ends_explained(house: House, path: str, raw: bytes, named: dict[str, str | None]) -> None:
    """No 5xx; a refusal has our shape; and once worked on, the row is final, with a reason unless it is done."""
    answer: httpx.Response = await house.edge.call_back(path, raw=raw, **named)
    assert answer.status_code in (202, 400, 409, 413), (answer.status_code, answer.text, path, raw)
    if answer.status_code != 202:
        assert answer.json()["error"]["code"]
        assert answer.json()["error"]["message"]
    await house.work()
    for row in await newest(house, 3):
        explained = row.error if row.state in (CallbackState.FAILED, CallbackState.REJECTED) else row.finished_at
        assert row.state is not CallbackState.RECEIVED
        assert explained, (row, raw)


@examples(60)
@given(delivery=_DELIVERIES, named=headers(), request_id=_IDS)
def test_whatever_is_delivered_is_answered_without_a_5xx_and_ends_explained(
    house: House, delivery: tuple[str, bytes], named: dict[str, str | None], request_id: str | None
) -> None:
    house.run(ends_explained(house, *delivery, {**named, "request_id": request_id}))


@pytest.mark.soak
@examples(2_000)
@given(delivery=_DELIVERIES, named=headers(), request_id=_IDS)
def test_whatever_is_delivered_is_answered_without_a_5xx_and_ends_explained_many_times(
    house: House, delivery: tuple[str, bytes], named: dict[str, str | None], request_id: str | None
) -> None:
    house.run(ends_explained(house, *delivery, {**named, "request_id": request_id}))


@pytest.mark.parametrize(
    "path", ["/api/v3/%00", "/api/v3/a%00b", "/api/v3/%ff%fe", "/%ed%a0%80", "/v0.5/" + "x" * 3000]
)
def test_a_path_that_no_store_can_hold_as_it_is_leaves_its_row_all_the_same(house: House, path: str) -> None:
    house.run(ends_explained(house, path, b"{}", {"request_id": str(uuid4())}))
    [row] = house.run(newest(house))
    assert row.state is (CallbackState.REJECTED if "%00" in path or len(path) > 3000 else CallbackState.UNKNOWN)


def test_nothing_that_was_delivered_is_still_on_its_way(house: House) -> None:
    """Runs last: whatever the deliveries above caused has come to its end, too."""
    house.run(house.edge.idle())

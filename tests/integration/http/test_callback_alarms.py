"""When a delivery calls for a person, and what is said while nothing can be stored (CB-04, contract §1.8)."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from tests.builders.edge import HIP_ID, edge

from hip.domain.identifiers import HipId


@dataclass
class Bell:
    """The ``Alarm`` port; keeps what the door rang for. What the workers behind it ring for is another test's."""

    rung: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, event: str, *, hip_id: HipId, subject: str, detail: str = "") -> None:
        if event.startswith("callback-"):
            self.rung.append((event, hip_id, subject))


def _stamp(minutes: float) -> str:
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("minutes", [-11, 11, -60 * 24])
def test_cb_04_a_delivery_more_than_ten_minutes_off_rings_once_and_its_repeat_does_not(minutes: float):
    async def story() -> None:
        bell, request_id = Bell(), str(uuid4())
        async with edge(alarm=bell) as service:
            for _ in range(3):
                answer = await service.call_back(request_id=request_id, timestamp=_stamp(minutes))
                assert answer.status_code == 202
            [kept] = await service.callbacks()
        assert kept.late
        assert bell.rung == [("callback-late", HIP_ID, request_id)]

    asyncio.run(story())


@pytest.mark.parametrize("minutes", [-8, 0, 8])
def test_cb_04_within_ten_minutes_nothing_is_late_and_nobody_is_called(minutes: float):
    async def story() -> None:
        bell = Bell()
        async with edge(alarm=bell) as service:
            assert (await service.call_back(timestamp=_stamp(minutes))).status_code == 202
            [kept] = await service.callbacks()
        assert not kept.late
        assert bell.rung == []

    asyncio.run(story())


def test_cb_04_another_body_under_a_known_id_is_409_and_rings_each_time():
    async def story() -> None:
        bell, request_id = Bell(), str(uuid4())
        async with edge(alarm=bell) as service:
            assert (await service.call_back(request_id=request_id)).status_code == 202
            for _ in range(2):
                assert (await service.call_back(body={"other": 1}, request_id=request_id)).status_code == 409
        assert bell.rung == [("callback-conflict", HIP_ID, request_id)] * 2

    asyncio.run(story())


@pytest.mark.parametrize(
    ("raw", "headers"),
    [(b"{", {}), (b"{}", {"request_id": None}), (b"{}", {"x_hip_id": "IN0410000777"}), (b" " * 2_000_000, {})],
)
def test_what_would_be_refused_is_503_too_while_its_hash_cannot_be_kept(raw: bytes, headers: dict[str, str | None]):
    async def story() -> None:
        async with edge() as service:
            service.adapters.database().down = True
            path = "/api/v3/hip/patient/share"
            assert (await service.call_back(path, raw=raw, **headers)).status_code == 503
            service.adapters.database().down = False
            assert await service.callbacks() == []
            assert (await service.call_back(path, raw=raw, **headers)).status_code in (400, 413)
            [kept] = await service.callbacks()
            assert (kept.state, kept.sealed_body) == ("rejected", None)

    asyncio.run(story())

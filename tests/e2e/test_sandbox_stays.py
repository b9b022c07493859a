"""``hip sandbox`` as somebody works against it: it stays up, keeps its folder, and is stopped by a signal."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.builders.processes import staying
from tests.servers import quick_disk

from hip.entrypoints.demo.examples import example_visits
from hip.entrypoints.embedded.places import fresh_folder

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
HARPREET = "IP-4471"
UP = "HMIS API key: sandbox"


@pytest.fixture
def folder() -> Iterator[Path]:
    with fresh_folder(inside=quick_disk()) as fresh:
        (fresh / "kept").mkdir(mode=0o711)  # a folder that is there is taken for one that was used: no story
        yield fresh


def _hmis(printed: list[str]) -> httpx.Client:
    address = next(line.split()[1] for line in printed if line.split()[:1] == ["hip"])
    return httpx.Client(base_url=address, headers={"X-API-Key": "sandbox"}, trust_env=False, timeout=30)


def _until(look: Callable[[], dict[str, Any]], key: str, value: object) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (seen := look()).get(key) != value:
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    return seen


def test_the_sandbox_stays_up_until_sigterm_and_a_second_start_finds_what_was_kept(folder: Path) -> None:
    visit = next(example for example in example_visits() if example.record.visit_code == HARPREET)
    with staying("sandbox", "--folder", "kept", folder=folder, until=UP, within=90) as printed:
        assert any("4 ABHA accounts are known" in line for line in printed)
        with _hmis(printed) as hmis:
            assert hmis.post("/v1/visits", content=visit.content).status_code == 202
            linked = _until(lambda: hmis.get(f"/v1/links/{HARPREET}").json(), "status", "linked")
    with staying("sandbox", "--folder", "kept", folder=folder, until=UP, within=90) as printed, _hmis(printed) as hmis:
        assert hmis.get(f"/v1/links/{HARPREET}").json() == linked
        assert hmis.get("/health/ready").status_code == 200

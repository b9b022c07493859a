"""`hip certify --against`: steps are asked for one by one, watched, timed, and gone on with after a break."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hip.domain.errors import InvalidValue
from hip.entrypoints.certify.by_hand import HandRun, State, read_state
from hip.entrypoints.certify.catalogue import Case, cases, chosen
from hip.entrypoints.certify.grounds import memory_ground
from hip.entrypoints.certify.report.pages import case_page
from hip.entrypoints.certify.running import Ground, Result
from hip.entrypoints.certify.townsfolk import Person
from hip.entrypoints.cli.main import __file__ as command
from hip.entrypoints.demo.stages import HIP_ID

PERSON = Person(1, 1)
Deed = Callable[[Ground], Awaitable[None]]


async def record_a_visit(ground: Ground) -> None:
    await ground.stage.control.register_patient(PERSON.account())
    await ground.stage.hmis.post("/v1/visits", content=json.dumps(PERSON.visit()).encode())
    await ground.stage.control.wait_for_links(PERSON.address, [PERSON.code])


async def grant(ground: Ground) -> None:
    await ground.stage.control.consented(PERSON.address, ["Prescription"], hipId=HIP_ID)


async def pull(ground: Ground) -> None:
    [consent] = await ground.stage.control.consents(PERSON.address)
    await ground.stage.control.request_data(consent.id)


async def revoke(ground: Ground) -> None:
    [consent] = await ground.stage.control.consents(PERSON.address)
    await ground.stage.control.revoke(consent.id)


async def close(ground: Ground) -> None:
    await ground.stage.control.change_account(PERSON.address, "DELETED")


async def nothing(ground: Ground) -> None:
    """The person is at lunch."""


DEEDS: tuple[tuple[str, Deed], ...] = (
    ("Record a visit with data", record_a_visit),
    ("record a visit of the test patient", record_a_visit),
    ("grant the request", grant),
    ("pull the records", pull),
    ("Revoke the consent", revoke),
    ("Delete or deactivate", close),
)


@dataclass
class Somebody:
    """Does what is asked in the sandbox's patient app, and answers ``answer``."""

    ground: Ground
    answer: str = "yes"
    idle: bool = False
    asked: list[str] = field(default_factory=list)

    async def announce(self, case: Case, ask: str, seconds: float) -> None:
        self.asked.append(ask)
        deed = next((deed for words, deed in DEEDS if words in ask), nothing)
        await (nothing if self.idle else deed)(self.ground)

    async def answered(self, case: Case, ask: str, seconds: float) -> str:
        self.asked.append(ask)
        return self.answer


async def _run(
    somebody: Somebody, state: State, *names: str, keep: Callable[[State], None] = lambda _: None, seconds: float = 30
) -> list[Result]:
    ground = somebody.ground
    run = HandRun(
        hmis=ground.stage.hmis,
        asker=somebody,
        state=state,
        keep=keep,
        clock=ground.clock,
        tell=lambda _: None,
        seconds=seconds,
        look_every=0.02,
    )
    return await run.play(chosen(names))


def test_every_case_that_is_not_replaced_can_be_shown_by_hand() -> None:
    assert [case.key for case in cases() if case.play and not case.by_hand] == []


def test_steps_are_asked_for_watched_and_written_down() -> None:
    async def play() -> tuple[list[Result], list[str]]:
        async with memory_ground() as ground:
            somebody, kept = Somebody(ground), []
            names = ("Health_RECORD_CREATION_101/Prescription", "HIP_INIT_REVOKE_CONSENT", "DAT_04")
            names = (*names, "HIP_INIT_ABHA_OPTOUT_DEACTIVATE", "HIP_INTI_LINK_201")
            state = State(against="http://hip.sandbox")
            results = await _run(somebody, state, *names, keep=lambda seen: kept.extend(seen.done))
            return results, kept

    results, kept = asyncio.run(play())
    assert [(result.case.id, result.word) for result in results] == [
        ("Health_RECORD_CREATION_101", "held"),
        ("HIP_INTI_LINK_201", "replaced"),
        ("HIP_INIT_REVOKE_CONSENT", "held"),
        ("HIP_INIT_ABHA_OPTOUT_DEACTIVATE", "held"),
        ("DAT_04", "held"),
    ]
    revoked = results[2]
    assert [one.result.rpartition(" ")[2] for one in revoked.shown] == ["GRANTED", "REVOKED"]
    assert revoked.evidence.decisions
    assert {"consent-on-notify"} <= {one["flow"] for one in revoked.evidence.exchanges}
    assert "Our calls" in case_page(revoked)
    assert "HIP_INIT_REVOKE_CONSENT#2" in kept
    assert PERSON.address not in json.dumps([one.result for result in results for one in result.shown])


def test_a_step_that_is_not_done_in_time_fails_its_case_and_is_asked_for_again() -> None:
    async def play() -> None:
        async with memory_ground() as ground:
            await record_a_visit(ground)
            state, somebody = State(against="x"), Somebody(ground, idle=True)
            [failed] = await _run(somebody, state, "HIP_INIT_REVOKE_CONSENT", seconds=0.2)
            assert not failed.held
            assert failed.failure is not None
            assert failed.failure.seen == "no consent became GRANTED within 0.2 s"
            assert failed.failure.look == "hip consents list"
            somebody.idle = False
            [held] = await _run(somebody, state, "HIP_INIT_REVOKE_CONSENT")
            assert held.held
            somebody.asked.clear()
            [again] = await _run(somebody, state, "HIP_INIT_REVOKE_CONSENT")
            assert (again.held, somebody.asked) == (True, [])

    asyncio.run(play())


@pytest.mark.parametrize(("answer", "seen"), [("no", "did not happen"), ("later", "nobody answered")])
def test_what_only_a_person_sees_is_believed_only_when_confirmed(answer: str, seen: str) -> None:
    async def play() -> Result:
        async with memory_ground() as ground:
            return (await _run(Somebody(ground, answer=answer), State(against="x"), "USER_INIT_LINK_602"))[0]

    result = asyncio.run(play())
    assert result.failure is not None
    assert seen in result.failure.seen


def test_the_state_belongs_to_one_deployment(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert read_state(path, against="https://one.example").done == {}
    path.write_text('{"against": "https://one.example"}')
    assert read_state(path, against="https://one.example").done == {}
    with pytest.raises(InvalidValue, match="--state"):
        read_state(path, against="https://other.example")
    path.write_text("{")
    with pytest.raises(InvalidValue, match="--state"):
        read_state(path, against="https://one.example")


def test_the_command_says_when_the_deployment_does_not_answer(tmp_path: Path) -> None:
    arguments = ("certify", "DAT_04", "--against", "http://127.0.0.1:9", "--state", str(tmp_path / "state"))
    done = subprocess.run((sys.executable, command, *arguments), capture_output=True, text=True, check=False)
    assert (done.returncode, "unreachable" in done.stderr) == (3, True)
    wrong = subprocess.run(
        (sys.executable, command, *arguments, "--gateway", "production"), capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, "--gateway" in wrong.stderr) == (2, True)

"""``hip jobs`` and ``hip visits`` as an operator meets them, on real servers: what is wrong is said in one line."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.builders.databases import connected
from tests.e2e.desk import EXAMPLES, Desk, a_desk
from tests.servers import Servers

pytestmark = pytest.mark.servers
CODE = "88134"


@pytest.fixture(scope="module")
def desk(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """With one visit, whose two documents wait: one for a worker, one in the dead letter."""
    with a_desk(servers, tmp_path_factory.mktemp("jobs")) as desk:
        assert desk.run("visits", "import", str(EXAMPLES[1])).code == 0

        async def kill() -> None:
            connection = await connected(desk.url)
            await connection.execute(
                "UPDATE outbox SET state = 'dead', error = 'WorkerLost' WHERE key = $1", f"{CODE}|OPConsultation"
            )
            await connection.close()

        asyncio.run(kill())
        yield desk


def test_the_dead_letter_is_listed_by_itself(desk: Desk) -> None:
    dead = desk.run("jobs", "list", "--state", "dead", "--json").json()
    assert [(job["key"], job["error"]) for job in dead] == [(f"{CODE}|OPConsultation", "WorkerLost")]
    ready = desk.run("jobs", "list", "--state", "ready", "--topic", "bundle", "--json").json()
    assert [job["key"] for job in ready] == [f"{CODE}|Prescription"]
    assert desk.run("jobs", "list", "--topic", "sms", "--json").json() == []


def test_a_dead_job_is_retried_cancelled_and_taken_back_in(desk: Desk) -> None:
    [dead] = desk.run("jobs", "list", "--state", "dead", "--json").json()
    key = str(dead["id"])
    assert desk.run("jobs", "retry", key, key).stdout == f"{key}\tqueued\n", "twice the same is once"
    again = desk.run("jobs", "retry", key)
    assert (again.code, again.stderr) == (
        1,
        f"{key}: the job was cancelled or retried, and another one for the same waits already\n",
    )
    new = str(desk.run("jobs", "list", "--state", "ready", "--json").json()[0]["id"])
    assert desk.run("jobs", "cancel", new).stdout == f"{new}\tcancelled\n"
    assert desk.run("jobs", "cancel", new).stderr == f"{new}: the job was cancelled already: it cannot be taken out\n"
    assert desk.run("jobs", "retry", new).code == 0
    shown = desk.run("visits", "show", CODE, "--json").json()
    assert {job["state"] for job in shown["jobs"]} == {"pending"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("jobs show 404", 1, "job 404 is not known"),
        ("jobs show ..", 1, "job .. is not known"),
        ("jobs retry 404", 1, "404: job 404 is not known"),
        ("jobs retry x", 2, "ID: expected a number, from `hip jobs list`"),
        ("jobs retry \u0663", 2, "ID: expected a number, from `hip jobs list`"),
        ("jobs cancel 99999999999999999999999", 1, "is not known"),
        ("jobs list --since 2026-13-01", 2, "--since: expected a date and time"),
        ("jobs list --since 0001-01-01T00:00:00+14:00", 2, "--since: expected a date and time"),
        ("jobs list --hip IN0000000000", 0, "--hip: IN0000000000 is no facility of this service"),
        ("jobs list --hip IN\udcff", 2, "--hip: expected an id, as `list` shows it"),
        ("jobs list --limit 10001", 2, "less than or equal to 10000"),
        ("jobs list --state done", 2, "done"),
        ("visits list --limit 0", 2, "greater than or equal to 1"),
        ("visits list --since yesterday", 2, "--since: expected a date and time"),
        ("visits list --hip nobody", 0, "--hip: nobody is no facility of this service"),
        ("visits show 404", 1, "visit 404 is not known"),
        ("visits show \udcff", 2, "ID: expected an id, as `list` shows it"),
        (f"visits show {'x' * 3000}", 2, "ID: expected an id, as `list` shows it"),
        ("visits rebuild a\x07", 2, "CODE: expected an id, as `list` shows it"),
        ("visits rebuild --since 0001-01-01T00:00:00+14:00 --dry-run", 2, "--since: expected a date and time"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(desk: Desk, arguments: str, code: int, said: str) -> None:
    answer = desk.run(*arguments.split(" "))
    assert answer.code == code
    assert said in " ".join(answer.stderr.replace("\u2502", " ").split())
    assert len(answer.stderr) < 1000


def test_a_visit_that_is_named_twice_is_built_once(desk: Desk) -> None:
    assert len(desk.run("visits", "rebuild", CODE, CODE).stdout.splitlines()) == 1
    assert desk.run("visits", "rebuild", "", CODE).code == 2, "and nothing is begun before all is understood"
    assert desk.rows("SELECT version FROM visits WHERE visit_code = $1", CODE) == [(2,)]

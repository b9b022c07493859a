"""``hip audit verify | anchor | export`` on a real database."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from tests.builders.conversations import an_audit_entry
from tests.builders.databases import a_postgres_database, connected, emptied
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import MINUTE, NOW
from typer.testing import CliRunner

from hip.entrypoints.cli.main import app

Run = Callable[..., Result]


@pytest.fixture
def hip(url: str, tmp_path: Path) -> Run:
    environment = {
        "HIP_STORAGE": "server",
        "HIP_DATABASE_URL": url,
        "HIP_MONGO_URL": "mongodb://127.0.0.1:1",
        "HIP_REDIS_URL": "redis://127.0.0.1:1",
        "HIP_KEY_FILE": str(tmp_path / "keys"),
        "HIP_CLIENT_ID": "SBX_000001",
        "HIP_CLIENT_SECRET": "secret",
        "HIP_FACILITIES": json.dumps([{"id": HIP, "name": "Demo Clinic"}]),
    }

    async def fill() -> None:
        await emptied(url)
        database = a_postgres_database(url)
        async with database.unit() as uow:
            for number in range(3):
                await uow.audit.append(an_audit_entry(subject=f"{number} é", at=NOW + number * MINUTE))
            await uow.audit.append(an_audit_entry(hip_id=OTHER_HIP))
            await uow.commit()
        await database.close()

    asyncio.run(fill())

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["audit", *arguments], env=environment, catch_exceptions=False)

    return run


def tampered(url: str, change: str) -> None:
    async def run() -> None:
        connection = await connected(url)
        try:
            await connection.execute("SET session_replication_role = replica;" + change)
        finally:
            await connection.close()

    asyncio.run(run())


def test_aud_02_verify_says_whole_and_then_names_the_first_broken_entry(hip: Run, url: str) -> None:
    whole = hip("verify")
    assert whole.exit_code == 0
    assert [line.split("\t")[:2] for line in whole.stdout.splitlines()] == sorted(
        [[HIP, "whole"], [OTHER_HIP, "whole"]]
    )
    tampered(url, f"UPDATE audit SET actor = 'nobody' WHERE sequence >= 2 AND hip_id = '{HIP}'")
    broken = hip("verify")
    assert broken.exit_code == 1
    assert f"{HIP}\tBROKEN\tentry 2: the entry was changed" in broken.stdout
    assert hip("verify", "--hip", OTHER_HIP).exit_code == 0
    (said,) = json.loads(hip("verify", "--hip", HIP, "--json").stdout)
    assert said == {"hipId": HIP, "whole": False, "brokenAt": 2, "reason": "the entry was changed"}


def test_aud_02_anchors_find_a_chain_that_is_gone_altogether(hip: Run, url: str, tmp_path: Path) -> None:
    anchors = tmp_path / "anchors"
    assert hip("anchor", "-o", str(anchors)).exit_code == 0
    assert hip("anchor", "--hip", HIP, "-o", str(anchors)).exit_code == 0
    assert [json.loads(line)["sequence"] for line in anchors.read_text().splitlines()] == [3, 1, 3]
    assert hip("verify", "--anchors", str(anchors)).exit_code == 0
    tampered(url, "DELETE FROM audit; DELETE FROM audit_heads")
    assert hip("verify").exit_code == 0  # the database alone cannot know
    gone = hip("verify", "--anchors", str(anchors))
    assert gone.exit_code == 1
    assert f"{HIP}\tBROKEN\tentry 1: entries 1 to 3 are missing" in gone.stdout


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", '{"hipId": "x", "sequence": -1, "digest": "' + "0" * 64 + '"}', '{"hipId": 1}']
)
def test_a_line_that_is_no_anchor_is_named(hip: Run, tmp_path: Path, line: str) -> None:
    anchors = tmp_path / "anchors"
    anchors.write_text(f"\n{line}\n")
    result = hip("verify", "--anchors", str(anchors))
    assert result.exit_code == (2 if line else 0)
    assert ("line 2" in result.stderr) is bool(line)


def test_an_auditor_can_check_an_export_without_this_program(hip: Run, tmp_path: Path) -> None:
    """From the words of the documentation alone."""
    file = tmp_path / "audit.ndjson"
    assert hip("export", "--hip", HIP, "-o", str(file)).exit_code == 0
    digest = "0" * 64
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, 1):
        content = json.dumps(
            [line[name] for name in ("hipId", "at", "actor", "action", "subject", "detail")], separators=(",", ":")
        )
        link = bytes.fromhex(digest) + number.to_bytes(8, "big") + hashlib.sha256(content.encode()).digest()
        assert line["previous"] == digest
        digest = line["digest"]
        assert digest == hashlib.sha256(link).hexdigest()
    assert [line["action"] for line in lines[3:]] == ["audit-exported"], "AUD-01: who exports is written down first"
    assert hip("verify").exit_code == 0


def test_an_export_can_begin_later_and_goes_to_the_terminal(hip: Run) -> None:
    since = (NOW + MINUTE).isoformat()
    lines = [json.loads(line) for line in hip("export", "--since", since).stdout.splitlines()]
    assert [(line["hipId"], line["sequence"]) for line in lines] == [(HIP, 2), (HIP, 3), (HIP, 4), (OTHER_HIP, 2)]
    assert lines[0]["subject"] == "1 é"


def test_an_output_that_cannot_be_written_is_named(hip: Run, tmp_path: Path) -> None:
    result = hip("export", "-o", str(tmp_path))
    assert result.exit_code == 2
    assert str(tmp_path) in result.stderr

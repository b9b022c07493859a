"""AUD-02 against someone who can write to the database itself."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.builders.conversations import an_audit_entry
from tests.builders.databases import a_postgres_database, connected
from tests.builders.decisions import a_decision
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import NOW, SECOND
from tests.servers import Servers

from hip.adapters.postgres import schema
from hip.adapters.postgres.units import PostgresDatabase
from hip.application.audit import AuditTrail
from hip.application.decision_seals import SETTLED, SealDecisions
from hip.domain.audit import AuditHead, BrokenLink
from hip.domain.facilities import Facility
from hip.entrypoints.facilities import ConfiguredFacilities

ENTRIES = 5
BEFORE = "0006"


async def tampered(url: str, change: str) -> None:
    """As a superuser who switches the trigger off."""
    connection = await connected(url)
    try:
        await connection.execute("SET session_replication_role = replica;" + change)
    finally:
        await connection.close()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("change", "sequence", "reason"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE sequence = 2", 2, "changed"),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE sequence = 4", 4, "changed"),
        ("UPDATE audit SET detail = '[]' WHERE sequence = 5", 5, "changed"),
        ("UPDATE audit SET digest = previous WHERE sequence = 3", 3, "changed"),
        ("UPDATE audit SET previous = digest WHERE sequence = 3", 3, "does not follow"),
        ("DELETE FROM audit WHERE sequence = 1", 1, "entries 1 to 1 are missing"),
        ("DELETE FROM audit WHERE sequence IN (3, 4)", 3, "entries 3 to 4 are missing"),
        ("DELETE FROM audit WHERE sequence = 5", 5, "entries 5 to 5 are missing"),
        ("DELETE FROM audit", 1, "entries 1 to 5 are missing"),
        ("DELETE FROM audit_heads", 1, "beside the chain"),
        ("UPDATE audit_heads SET sequence = 3", 3, "written anew"),
        (
            "UPDATE audit_heads SET sequence = 3, digest = (SELECT digest FROM audit WHERE sequence = 3)",
            4,
            "beside the chain",
        ),
        ("UPDATE audit_heads SET digest = previous", 5, "written anew"),
        (
            "UPDATE audit SET sequence = -1 WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3;"
            "UPDATE audit SET sequence = 3 WHERE sequence = -1",
            2,
            "does not follow",
        ),
        (
            "UPDATE audit a SET subject = b.subject FROM audit b WHERE (a.sequence, b.sequence) IN ((1, 2), (2, 1))",
            1,
            "changed",
        ),
        (
            "INSERT INTO audit (hip_id, sequence, at, actor, action, subject, detail, previous, digest) "
            "SELECT hip_id, 6, at, actor, action, subject, detail, digest, digest FROM audit WHERE sequence = 5",
            6,
            "changed",
        ),
    ],
)
async def test_aud_02_whatever_is_changed_behind_the_service_is_found(
    database: PostgresDatabase, url: str, change: str, sequence: int, reason: str
) -> None:
    async with database.unit() as uow:
        for number in range(ENTRIES):
            await uow.audit.append(an_audit_entry(subject=str(number)))
        await uow.commit()
    trail = AuditTrail(database.unit)
    assert isinstance(await trail.verify(HIP), AuditHead)
    await tampered(url, change)
    broken = await trail.verify(HIP)
    assert isinstance(broken, BrokenLink)
    assert broken.sequence == sequence
    assert reason in broken.reason


@pytest.mark.anyio
async def test_aud_02_a_cut_that_also_sets_the_noted_end_back_is_found_by_an_anchor(
    database: PostgresDatabase, url: str
) -> None:
    async with database.unit() as uow:
        for number in range(ENTRIES):
            await uow.audit.append(an_audit_entry(subject=str(number)))
        await uow.commit()
    trail = AuditTrail(database.unit)
    anchors = await trail.heads()
    await tampered(
        url,
        "DELETE FROM audit WHERE sequence > 3; UPDATE audit_heads h SET sequence = a.sequence, previous = a.previous, "
        "digest = a.digest FROM audit a WHERE a.sequence = 3",
    )
    assert isinstance(await trail.verify(HIP), AuditHead)  # the database alone cannot know
    assert await trail.verify(HIP, anchors) == BrokenLink(hip_id=HIP, sequence=4, reason="entries 4 to 5 are missing")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE release_decisions SET requester = 'HIU-9' WHERE page = 2",
        "UPDATE release_decisions SET at = at - interval '1 microsecond' WHERE page = 1",
        "UPDATE release_decisions SET records = '[]' WHERE page = 3",
        "UPDATE release_decisions SET results = jsonb_set(results, '{0,verdict}', '\"refuse\"') WHERE page = 1",
        "DELETE FROM release_decisions WHERE page = 2",
        "DELETE FROM release_decisions",
        "UPDATE release_decisions a SET page = 5 - b.page FROM release_decisions b "
        "WHERE (a.page, b.page) IN ((2, 2), (3, 3)) AND a.page = b.page",
    ],
)
async def test_a_decision_that_was_changed_since_it_was_sealed_is_found(
    change: str, database: PostgresDatabase, url: str
) -> None:
    for page in (1, 2, 3):
        async with database.unit() as uow:
            await uow.decisions.append(a_decision(page=page))
            await uow.commit()
    facilities = ConfiguredFacilities((Facility(hip_id=HIP, name="Ours"),))
    assert await SealDecisions(database.unit, facilities, lambda: NOW + SETTLED)() == 3
    trail = AuditTrail(database.unit)
    assert isinstance(await trail.verify(HIP), AuditHead)
    await tampered(url, change)
    broken = await trail.verify(HIP)
    assert broken == BrokenLink(hip_id=HIP, sequence=1, reason="the decision records it seals were changed")


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    with servers.scratch_database() as url:
        yield url


def test_entries_from_before_the_chain_are_chained_as_they_were_inserted_and_back(empty_url: str) -> None:
    schema.upgrade(empty_url, revision=BEFORE)
    old = [
        an_audit_entry(hip_id=hip, subject=f"{number}'é", at=NOW - number * SECOND, detail=(("b", "1"), ("a", "é")))
        for number in range(3)
        for hip in (HIP, OTHER_HIP)
    ]

    async def fill() -> None:
        connection = await connected(empty_url)
        try:
            for entry in old:
                await connection.execute(
                    "INSERT INTO audit (hip_id, at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6)",
                    *(entry.hip_id, entry.at, entry.actor, entry.action, entry.subject),
                    '[["b", "1"], ["a", "é"]]',
                )
        finally:
            await connection.close()

    async def check(more: int) -> None:
        database = a_postgres_database(empty_url)
        try:
            trail = AuditTrail(database.unit)
            for hip_id in (HIP, OTHER_HIP):
                entries = [link.entry async for link in trail.links(hip_id)]
                assert entries[:3] == [entry for entry in old if entry.hip_id == hip_id]
                head = await trail.verify(hip_id)
                assert isinstance(head, AuditHead)
                assert head.sequence == len(entries) == 3 + more
            async with database.unit() as uow:
                await uow.audit.append(an_audit_entry())
                await uow.audit.append(an_audit_entry(hip_id=OTHER_HIP))
                await uow.commit()
        finally:
            await database.close()

    asyncio.run(fill())
    schema.upgrade(empty_url)
    asyncio.run(check(0))
    schema.downgrade(empty_url, BEFORE)
    schema.upgrade(empty_url)
    asyncio.run(check(1))

"""The audit's chain: gapless for each HIP, whoever writes at the same time, and provable from what is stored."""

import asyncio

import pytest
from tests.builders.conversations import an_audit_entry
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import NOW, SECOND

from hip.application.audit import AuditTrail
from hip.application.storage import Units
from hip.domain.audit import GENESIS, AuditEntry, AuditHead, BrokenLink
from hip.domain.identifiers import HipId

pytestmark = pytest.mark.anyio


async def append(units: Units, *entries: AuditEntry) -> None:
    async with units() as uow:
        for entry in entries:
            await uow.audit.append(entry)
        await uow.commit()


async def test_aud_02_links_are_numbered_from_one_and_follow_each_other(units: Units) -> None:
    written = [an_audit_entry(subject=str(number), at=NOW - number * SECOND) for number in range(4)]
    await append(units, *written[:3])
    await append(units, written[3])
    links = [link async for link in AuditTrail(units).links(HIP)]
    assert [link.entry for link in links] == written  # in the order of their writing, not of their times
    assert [link.sequence for link in links] == [1, 2, 3, 4]
    assert [link.previous for link in links] == [GENESIS, *(link.digest for link in links[:3])]
    async with units() as uow:
        assert await uow.audit.head(HIP) == links[-1].head
        assert list(await uow.audit.chain(HIP, after=2, limit=1)) == links[2:3]
        assert list(await uow.audit.chain(HIP, after=4, limit=1)) == []


async def test_aud_02_the_digests_are_those_of_the_domain(units: Units) -> None:
    """Whichever side computes them."""
    entries = [
        an_audit_entry(),
        an_audit_entry(actor="डॉ. राव", subject="a'b\"c\\", detail=()),
        an_audit_entry(at=NOW.replace(microsecond=0), detail=(("z", "1"), ("a", "2"), ("a", "ü"))),
    ]
    await append(units, *entries)
    head = AuditHead(hip_id=HIP)
    async for link in AuditTrail(units).links(HIP):
        assert link == head.append(entries[link.sequence - 1])
        head = link.head
    assert head.sequence == 3


async def test_aud_02_few_and_many_at_once_make_the_same_chain(units: Units) -> None:
    entries = [an_audit_entry(subject=f'{number} ü"', detail=(("version", str(number)),)) for number in range(60)]
    await append(units, *entries[:3])
    await append(units, *entries[3:30], an_audit_entry(hip_id=OTHER_HIP), *entries[30:50])
    await append(units, *entries[50:])
    head = AuditHead(hip_id=HIP)
    async for link in AuditTrail(units).links(HIP):
        assert link == head.append(entries[link.sequence - 1])
        head = link.head
    assert await AuditTrail(units).verify(HIP) == head
    assert head.sequence == 60
    await append(units, *(an_audit_entry(hip_id=HipId("IN0410000777")) for _ in range(40)))
    new = await AuditTrail(units).verify(HipId("IN0410000777"))
    assert isinstance(new, AuditHead)
    assert new.sequence == 40


async def test_each_hip_has_a_chain_of_its_own(units: Units) -> None:
    await append(units, an_audit_entry(), an_audit_entry(hip_id=OTHER_HIP), an_audit_entry(subject="2"))
    trail = AuditTrail(units)
    async with units() as uow:
        assert await uow.audit.chained() == sorted([HIP, OTHER_HIP])
    assert [(head.hip_id, head.sequence) for head in await trail.heads()] == sorted([(HIP, 2), (OTHER_HIP, 1)])
    assert [link.entry.hip_id async for link in trail.links(OTHER_HIP)] == [OTHER_HIP]


async def test_a_hip_without_entries_has_an_empty_chain_that_holds(units: Units) -> None:
    trail = AuditTrail(units)
    assert await trail.heads() == []
    assert await trail.verify(HIP) == AuditHead(hip_id=HIP)


async def test_the_latest_of_an_action_is_the_last_that_was_written(units: Units) -> None:
    first, second = (
        an_audit_entry(action="configuration", at=NOW),
        an_audit_entry(action="configuration", at=NOW - SECOND),
    )
    await append(units, first, second, an_audit_entry(), an_audit_entry(action="other", hip_id=OTHER_HIP))
    async with units() as uow:
        assert await uow.audit.latest(HIP, "configuration") == second
        assert await uow.audit.latest(HIP, "other") is None


async def test_what_was_not_committed_leaves_no_gap(units: Units) -> None:
    await append(units, an_audit_entry())
    async with units() as uow:
        await uow.audit.append(an_audit_entry(subject="undone"))
        assert (await uow.audit.head(HIP)).sequence == 2
    await append(units, an_audit_entry(subject="kept"))
    assert [link.entry.subject async for link in AuditTrail(units).links(HIP)] == ["88120", "kept"]
    assert isinstance(await AuditTrail(units).verify(HIP), AuditHead)


async def test_aud_02_twenty_who_append_at_once_make_one_chain(units: Units) -> None:
    await asyncio.gather(
        *(
            append(units, an_audit_entry(subject=f"{number}-a"), an_audit_entry(subject=f"{number}-b"))
            for number in range(20)
        )
    )
    trail = AuditTrail(units)
    head = await trail.verify(HIP)
    assert isinstance(head, AuditHead)
    assert head.sequence == 40
    subjects = [link.entry.subject async for link in trail.links(HIP)]
    assert len(set(subjects)) == 40
    assert [one.partition("-")[0] for one in subjects[::2]] == [two.partition("-")[0] for two in subjects[1::2]]


async def test_two_units_that_write_of_two_hips_in_opposite_order_do_not_wait_for_each_other(units: Units) -> None:
    ours, theirs = an_audit_entry(), an_audit_entry(hip_id=OTHER_HIP)
    await asyncio.gather(*(append(units, *pair) for pair in [(ours, theirs), (theirs, ours)] * 5))
    for hip_id in (HIP, OTHER_HIP):
        head = await AuditTrail(units).verify(hip_id)
        assert isinstance(head, AuditHead)
        assert head.sequence == 10


async def test_aud_02_an_anchor_that_the_chain_does_not_reach_or_hold_is_named(units: Units) -> None:
    await append(units, an_audit_entry(), an_audit_entry(subject="2"))
    trail = AuditTrail(units)
    (head,) = await trail.heads()
    assert await trail.verify(HIP, [head, AuditHead(hip_id=OTHER_HIP, sequence=9, digest="ff" * 32)]) == head
    cut = await trail.verify(HIP, [AuditHead(hip_id=HIP, sequence=5, digest="ff" * 32)])
    assert cut == BrokenLink(hip_id=HIP, sequence=3, reason="entries 3 to 5 are missing")
    anew = await trail.verify(HIP, [AuditHead(hip_id=HIP, sequence=1, digest="ff" * 32)])
    assert anew == BrokenLink(hip_id=HIP, sequence=1, reason="the chain was written anew up to here")

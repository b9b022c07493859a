"""AUD-02: whoever edits, deletes, inserts or reorders entries of a chain is found out."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.conversations import an_audit_entry
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import NOW, SECOND

from hip.domain.audit import GENESIS, AuditEntry, AuditHead, AuditLink, BrokenLink

WORDS = st.text(max_size=12)
ENTRIES = st.builds(
    an_audit_entry,
    at=st.integers(0, 10**9).map(lambda micros: NOW + timedelta(microseconds=micros)),
    actor=WORDS,
    action=WORDS,
    subject=WORDS,
    detail=st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
)
CHAINS = st.lists(ENTRIES, min_size=2, max_size=8).map(lambda entries: chained(entries))
FIELDS = ("at", "actor", "action", "subject", "detail", "hip_id", "sequence", "previous", "digest")


def chained(entries: Sequence[AuditEntry]) -> list[AuditLink]:
    head, links = AuditHead(hip_id=HIP), list[AuditLink]()
    for entry in entries:
        links.append(head.append(entry))
        head = links[-1].head
    return links


def first_break(links: Sequence[AuditLink], *, end: AuditHead) -> BrokenLink | None:
    head = AuditHead(hip_id=HIP)
    for link in links:
        broken = head.broken_by(link)
        if broken is not None:
            return broken
        head = link.head
    return head.contradicting(end)


def edited(link: AuditLink, field: str, salt: str) -> AuditLink:
    entry = link.entry
    match field:
        case "at":
            return replace(link, entry=replace(entry, at=entry.at + timedelta(microseconds=1)))
        case "detail":
            return replace(link, entry=replace(entry, detail=(*entry.detail, ("more", salt))))
        case "hip_id":
            return replace(link, entry=replace(entry, hip_id=OTHER_HIP))
        case "sequence":
            return replace(link, sequence=link.sequence + 1)
        case "previous" | "digest":
            return replace(link, **{field: hashlib.sha256(salt.encode()).hexdigest()})
        case _:
            return replace(link, entry=replace(entry, **{field: getattr(entry, field) + "x"}))


@settings(max_examples=50)
@given(links=CHAINS)
def test_an_untouched_chain_holds(links: list[AuditLink]) -> None:
    assert first_break(links, end=links[-1].head) is None


@settings(max_examples=50)
@given(links=CHAINS, field=st.sampled_from(FIELDS), salt=WORDS, data=st.data())
def test_aud_02_an_edit_of_any_field_is_found_where_it_was_made(
    links: list[AuditLink], field: str, salt: str, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(links) - 1))
    end = links[-1].head
    links[place] = edited(links[place], field, salt)
    broken = first_break(links, end=end)
    assert broken is not None
    assert broken.sequence == place + 1


@settings(max_examples=50)
@given(links=CHAINS, data=st.data())
def test_aud_02_an_edit_that_renews_its_own_digest_is_found_one_further(
    links: list[AuditLink], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(links) - 1))
    end = links[-1].head
    before = AuditHead(hip_id=HIP, sequence=place, digest=links[place].previous)
    links[place] = before.append(replace(links[place].entry, actor=links[place].entry.actor + "x"))
    broken = first_break(links, end=end)
    assert broken is not None
    assert broken.sequence == min(place + 2, len(links))


@settings(max_examples=50)
@given(links=CHAINS, data=st.data())
def test_aud_02_a_deletion_anywhere_is_found(links: list[AuditLink], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(links) - 1))
    last = data.draw(st.integers(first, len(links) - 1))
    end = links[-1].head
    broken = first_break(links[:first] + links[last + 1 :], end=end)
    assert broken is not None
    assert broken == BrokenLink(hip_id=HIP, sequence=first + 1, reason=f"entries {first + 1} to {last + 1} are missing")


@settings(max_examples=50)
@given(links=CHAINS, data=st.data())
def test_aud_02_two_entries_that_changed_places_are_found(links: list[AuditLink], data: st.DataObject) -> None:
    """Whole rows, and their contents alone with the places kept."""
    one = data.draw(st.integers(0, len(links) - 2))
    two = data.draw(st.integers(one + 1, len(links) - 1))
    end = links[-1].head
    rows, contents = list(links), list(links)
    rows[one], rows[two] = rows[two], rows[one]
    contents[one] = replace(links[one], entry=links[two].entry)
    contents[two] = replace(links[two], entry=links[one].entry)
    moved = first_break(rows, end=end)
    assert moved is not None
    assert moved.sequence == one + 1
    exchanged = first_break(contents, end=end)
    if links[one].entry == links[two].entry:
        assert exchanged is None
    else:
        assert exchanged is not None
        assert exchanged.sequence == one + 1


@settings(max_examples=50)
@given(links=CHAINS, data=st.data())
def test_aud_02_an_entry_that_was_slipped_in_is_found(links: list[AuditLink], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(links) - 1))
    forged = AuditHead(hip_id=HIP, sequence=place, digest=links[place].previous).append(an_audit_entry(actor="nobody"))
    end = links[-1].head
    broken = first_break([*links[:place], forged, *links[place:]], end=end)
    assert broken is not None
    assert broken.sequence == place + 1


@settings(max_examples=50)
@given(entries=st.lists(ENTRIES, min_size=2, max_size=6, unique=True), data=st.data())
def test_aud_02_a_chain_written_anew_as_a_whole_contradicts_its_anchor(
    entries: list[AuditEntry], data: st.DataObject
) -> None:
    anchor = chained(entries)[-1].head
    place = data.draw(st.integers(0, len(entries) - 1))
    forged = chained([*entries[:place], replace(entries[place], subject="another"), *entries[place + 1 :]])
    if entries[place].subject == "another":
        return
    assert first_break(forged, end=forged[-1].head) is None  # in itself it holds
    broken = first_break(forged, end=anchor)
    assert broken is not None
    assert broken.reason == "the chain was written anew up to here"


def test_the_canonical_bytes_are_as_documented() -> None:
    """An auditor's program, from the words of the documentation alone."""
    entry = an_audit_entry(actor="डॉ. राव")
    canonical = (
        b'["IN0410000123","2026-03-12T04:55:30.123456Z","\\u0921\\u0949. \\u0930\\u093e\\u0935","link","88120",'
        b'[["status","linked"],["contexts","1"]]]'
    )
    assert entry.canonical() == canonical
    first = AuditHead(hip_id=HIP).append(entry)
    content = hashlib.sha256(canonical).digest()
    assert first.previous == GENESIS
    assert first.digest == hashlib.sha256(bytes(32) + b"\0\0\0\0\0\0\0\1" + content).hexdigest()
    second = first.head.append(entry)
    assert second.digest == hashlib.sha256(bytes.fromhex(first.digest) + bytes(7) + b"\2" + content).hexdigest()


def test_one_instant_is_the_same_in_every_zone_and_on_the_full_second() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    assert an_audit_entry(at=NOW.astimezone(india)).canonical() == an_audit_entry().canonical()
    whole = json.loads(an_audit_entry(at=NOW.replace(microsecond=0)).canonical())
    assert whole[1] == "2026-03-12T04:55:30.000000Z"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"detail": (("a", "b"),)}, {"detail": (("a", "b"), ("", ""))}),
        ({"actor": "ab", "action": "c"}, {"actor": "a", "action": "bc"}),
        ({"subject": '","'}, {"subject": ""}),
        ({"at": NOW}, {"at": NOW + SECOND}),
    ],
)
def test_different_entries_have_different_canonical_bytes(one: dict[str, object], other: dict[str, object]) -> None:
    assert an_audit_entry(**one).canonical() != an_audit_entry(**other).canonical()


def test_entries_beyond_the_noted_end_were_added_beside_the_chain() -> None:
    links = chained([an_audit_entry(), an_audit_entry()])
    broken = links[1].head.beyond(links[0].head)
    assert broken is not None
    assert (broken.sequence, broken.reason) == (2, "the entry was added beside the chain")
    assert links[1].head.beyond(links[1].head) is None

"""Transfers to requesters that fail in every way, while everything is killed and consents are taken back.

Each transfer ends in the one right state, and each requester holds exactly what was allowed. What is right is told by
``released.py`` from the artefact, and by what the decision records say was the order of things.
"""

import asyncio
import os
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis
from tests.builders.databases import connected
from tests.builders.processes import hip
from tests.e2e.released import Answer, Asked, Book, Clerk, Opened, Record, opened
from tests.e2e.wishes import REFUSES_EVERY_PUSH, Town, Wish, span, wishes
from tests.servers import quick_disk

from hip.entrypoints.demo.processes import ServiceProcess
from hip.entrypoints.demo.stages import HIP_ID, Stage, server_stage
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.sandbox.views import ConsentView, HiuTransferView, TransferView

SEED = int(os.environ.get("HIP_SOAK_SEED", "1"))
SCALE = 0.01
MAIN = "hip.entrypoints.cli.main"
PROCESSES = {"serve": "serve", "relay": "relay", "worker": "worker", "worker-2": "worker"}
PUSH_PATIENCE = "2"  # seconds for a requester's answer: some never give one
CALLBACKS_COME_AGAIN = ("--retry-wait", "100") * 300  # each a second: a web process is back by then
DEADLINE = 300.0  # seconds for each step of a conversation, on a machine that others keep busy
PATIENCE = ("--ack-patience", str(DEADLINE), *CALLBACKS_COME_AGAIN)
ENDS_WITHIN = 600.0  # seconds after the last request
COMES_UP_WITHIN = 2.5  # seconds that a process takes on a quiet machine


@dataclass
class Chaos:
    """SIGKILL to web, relay or a worker with all below it; Redis emptied; PostgreSQL stopped and started.

    ``every``: seconds between two strikes, longer where processes take longer to come up: none is killed before it was
    of any use.
    """

    stage: Stage
    chance: random.Random
    every: tuple[float, float]
    done: list[str] = field(default_factory=list)
    slowness: float = 1.0

    def __post_init__(self) -> None:
        assert self.stage.service is not None
        self.service = self.stage.service
        self.bind = httpx.URL(self.stage.addresses["hip"]).netloc.decode()

    @property
    def database_url(self) -> str:
        return self.service.environment_of("relay")["HIP_DATABASE_URL"]

    async def __call__(self, first: tuple[str, ...], *, most: int) -> None:
        """The ``first`` in this order, then processes at random, at most so many in all."""
        for number in range(most):
            await asyncio.sleep(self.chance.uniform(*self.every) * self.slowness)
            name = first[number] if number < len(first) else self.chance.choice(list(PROCESSES))
            await asyncio.to_thread(self._strike, name)
            self.done.append(name)

    def start(self, name: str) -> ServiceProcess:
        kind = PROCESSES[name]
        environment = dict(self.service.environment_of(kind))
        if kind == "serve":
            environment["HIP_BIND"] = self.bind
        return self.service.start(name, kind, module=MAIN, environment=environment)

    def _strike(self, name: str) -> None:
        servers = self.stage.servers
        assert servers is not None
        match name:
            case "redis":
                with Redis.from_url(servers.urls.redis_url) as client:
                    client.flushall()
            case "postgres":
                servers.restart_postgres()
            case _:
                self.service.processes[name].kill_family()
                self.service.processes[name].stop()
                began, again = time.monotonic(), self.start(name)
                if name == "serve":
                    again.address()
                    self.slowness = max(1.0, (time.monotonic() - began) / COMES_UP_WITHIN)


@dataclass
class Play:
    """Everything that was asked, and by whom."""

    stage: Stage
    asked: dict[str, tuple[Wish, Asked]] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)

    async def link(self, town: Town) -> Clerk:
        """Every visit handed over and linked. What then lies on the shelves is what our API shows of the bundles."""
        control, shelves = self.stage.control, dict[str, tuple[Record, ...]]()
        await self.stage.register_bridge()
        for person in town.persons():
            await control.register_patient(person.account())
            for _, _, content in town.records(person):
                assert (await self.stage.hmis.post("/v1/visits", content=content)).status_code == 202
        for person in town.persons():
            await control.wait_for_links(person.address, town.codes(person))
            for code, at, _ in town.records(person):
                shelves[code] = await self._shelf(code, at)
        return Clerk(shelves)

    async def _shelf(self, code: str, at: datetime) -> tuple[Record, ...]:
        shown = (await self.stage.hmis.get(f"/v1/visits/{code}")).json()
        found = shown["bundles"]
        assert found, shown
        return tuple(Record(context=code, kind=one["hiType"], at=at, sha256=one["sha256"]) for one in found)

    async def grant_and_ask(self, wish: Wish) -> None:
        """Consent, the first request, the later ones; meanwhile the consent may end."""
        control = self.stage.control
        case = await control.start_consent(
            wish.person.address,
            wish.kinds,
            hipId=HIP_ID,
            careContexts=[
                {"patientReference": f"TOWN-{wish.person.number}", "careContextReference": code}
                for code in wish.contexts
            ],
            faults=[wish.fault] if wish.fault else [],
        )
        assert case.consent_request_id is not None, case.problem
        granted = await control.grant(case.consent_request_id, dateRange=span(wish.granted))
        [consent_id] = granted.artefacts
        case = await control.wait_for_requests(case, 1)
        self._note(case.transfers[0], wish, consent_id, wish.granted)
        ending = asyncio.create_task(self._end(wish, consent_id))
        for days in wish.later:
            asked = await control.request_data(consent_id, dateRange=span(days))
            self._note(asked, wish, consent_id, days)
        await ending

    def _note(self, shown: HiuTransferView, wish: Wish, consent_id: str, days: tuple[int, int]) -> None:
        dates = span(days)
        asked = Asked(
            consent_id=consent_id,
            since=datetime.fromisoformat(dates["from"]),
            until=datetime.fromisoformat(dates["to"]),
        )
        self.asked[shown.request_id] = (wish, asked)

    async def _end(self, wish: Wish, consent_id: str) -> None:
        if wish.ended_after is None:
            return
        await asyncio.sleep(wish.ended_after)
        control = self.stage.control
        await (control.expire(consent_id) if wish.expires else control.revoke(consent_id))
        self.over.add(consent_id)


async def until_ended(url: str) -> None:
    """Until no transfer is under way. Raises AssertionError with those that still are."""
    left: list[Any] = []
    end = asyncio.get_running_loop().time() + ENDS_WITHIN
    while asyncio.get_running_loop().time() < end:
        connection = await connected(url)
        try:
            left = await connection.fetch(
                "SELECT transaction_id, status, attempts, consent_id FROM data_flow_request "
                "WHERE status NOT IN ('done', 'dead')"
            )
        finally:
            await connection.close()
        if not left:
            return
        await asyncio.sleep(0.3)
    raise AssertionError(f"{len(left)} transfers never ended: {[dict(one) for one in left[:10]]}")


async def books_of(url: str) -> dict[str, Book]:
    """Every transfer's, by transaction."""
    connection = await connected(url)
    try:
        rows = await connection.fetch("SELECT * FROM data_flow_request")
        answers = [
            Answer.read(row) for row in await connection.fetch("SELECT * FROM release_decisions ORDER BY sequence")
        ]
        pages = await connection.fetch("SELECT * FROM pages WHERE state = 'delivered'")
        noted = await connection.fetch(
            "SELECT sequence, action, subject, detail::text FROM audit WHERE action IN "
            "('transfer-requested', 'consent-notified', 'consent-expired') ORDER BY sequence"
        )
    finally:
        await connection.close()
    ended = {one.consent_id: one for one in answers if one.stage == "ended"}
    late = _late(rows, noted)
    return {row["transaction_id"]: _book(row, answers, pages, ended, late) for row in rows}


def _late(rows: Sequence[Mapping[str, Any]], noted: Sequence[Mapping[str, Any]]) -> set[str]:
    """The transactions that were written down after the end of their consent: the audit is in order of commits."""
    came = {one["subject"]: one["sequence"] for one in noted if one["action"] == "transfer-requested"}
    over: dict[str, int] = {}
    for one in noted:
        if one["action"] == "consent-expired" or "REVOKED" in one["detail"] or "EXPIRED" in one["detail"]:
            over.setdefault(one["subject"], one["sequence"])
    return {
        row["transaction_id"]
        for row in rows
        if row["consent_id"] in over and came[row["transaction_id"]] > over[row["consent_id"]]
    }


def _book(
    row: Mapping[str, Any],
    answers: list[Answer],
    pages: list[Mapping[str, Any]],
    ended: Mapping[str, Answer],
    late: set[str],
) -> Book:
    transaction = row["transaction_id"]
    return Book(
        row=row,
        answers=tuple(one for one in answers if one.transaction_id == transaction),
        delivered_at={page["number"]: page["finished_at"] for page in pages if page["transaction_id"] == transaction},
        end=ended.get(row["consent_id"]),
        came_after_the_end=transaction in late,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One transfer from every side."""

    wish: Wish
    asked: Asked
    consent: ConsentView
    gateway: TransferView
    book: Book
    came: Opened

    def wrong(self, clerk: Clerk, *, strikes: int) -> list[str]:
        """What is not as it must be."""
        allowed = clerk.hands_over(self.consent.detail, self.asked)
        whole = {(context, sha) for context, found in allowed.items() for sha in found}
        found = list(self.book.faults())
        permitted = self.book.permitted()
        found += [
            f"page {page} came {times} times, and the gate let it go {permitted[page]} times"
            for page, times in self.came.arrivals.items()
            if times > permitted[page]
        ]
        if self.came.unreadable:
            found.append(f"{self.came.unreadable} entries cannot be read with the requester's key")
        if not self.came.held <= whole:
            found.append(f"holds what it may not: {self.came.held - whole}")
        found += self._account(allowed, strikes=strikes)
        found += self._end(clerk, whole)
        return found

    def _account(self, allowed: Mapping[str, set[str]], *, strikes: int) -> list[str]:
        notifies = [each for each in self.gateway.notifies if each.notifier == "HIP"]
        said = {(each.session_status, tuple(sorted(each.outcomes.items()))) for each in notifies}
        if not said and self.book.came_after_the_end:
            return []
        if len(said) != 1:
            return [f"{len(said)} different accounts were given: {said}"]
        found = [] if len(notifies) <= 1 + strikes else [f"{len(notifies)} accounts, after {strikes} strikes"]
        [(status, outcomes)] = said
        if status != self.book.row["outcome"]:
            found.append(f"told {status}, booked {self.book.row['outcome']}")
        if dict(outcomes).keys() != allowed.keys():
            found.append(f"accounted for {sorted(dict(outcomes))}, the artefact names {sorted(allowed)}")
        for context, outcome in outcomes:
            has = {sha for held, sha in self.came.held if held == context}
            may = allowed.get(context, set())
            if outcome == "DELIVERED" and (has != may or not may):
                found.append(f"{context} is told DELIVERED with {len(has)} of {len(may)} records there")
            if outcome == "ERRORED" and has == may and may and not self._answers_nothing():
                found.append(f"{context} is told ERRORED, and all of it is there")
        return found

    def _end(self, clerk: Clerk, whole: set[tuple[str, str]]) -> list[str]:
        row = self.book.row
        if row["status"] != "done":
            return [f"ended as {row['status']}: {row['reason']}"]
        if not clerk.takes(self.consent.detail, self.asked):
            right = row["outcome"] == "FAILED" and row["refusal"] is not None and not self.came.arrivals
            return [] if right else [f"asked for more days than granted: {row['outcome']}, {row['refusal']}"]
        if self.book.stopped():
            return [] if row["outcome"] == "FAILED" else ["was stopped by the end of its consent, and TRANSFERRED"]
        takes_some = bool(whole) and self.wish.fault not in REFUSES_EVERY_PUSH and self.wish.fault != "silent"
        expected = "TRANSFERRED" if takes_some else "FAILED"
        found = [] if row["outcome"] == expected else [f"ended {row['outcome']} ({row['reason']}), not {expected}"]
        if takes_some and self.came.held != whole:
            found.append(f"holds {len(self.came.held)} of {len(whole)} records")
        return found

    def _answers_nothing(self) -> bool:
        """It has what it was pushed, and we never heard so."""
        return self.wish.fault in ("silent", "first-push-silent") or self.book.stopped()


async def _cases(play: Play, url: str) -> list[Case]:
    """The gateway does not say which request a transaction came of; under one consent both come in one order."""
    control, books, cases = play.stage.control, await books_of(url), list[Case]()
    at_gateway = await control.transfers()
    assert {one.transaction_id for one in at_gateway} == books.keys()
    asked = [one for one in await control.hiu_transfers() if one.request_id in play.asked]
    assert len(asked) == len(at_gateway)
    for consent_id in dict.fromkeys(one.consent_id for one in asked):
        consent = await control.consent(consent_id)
        here = [one for one in asked if one.consent_id == consent_id]
        there = [one for one in at_gateway if one.consent_id == consent_id]
        for shown, gateway in zip(here, there, strict=True):
            wish, dates = play.asked[shown.request_id]
            came = Opened()
            if shown.transaction_id is not None:
                assert shown.transaction_id == gateway.transaction_id
                came = await asyncio.to_thread(opened, await control.sealed_pages(shown.transaction_id))
            book = books[gateway.transaction_id]
            cases.append(Case(wish=wish, asked=dates, consent=consent, gateway=gateway, book=book, came=came))
    return cases


async def _story(
    folder: Path,
    town: Town,
    *,
    transfers: int,
    at_once: int,
    first: tuple[str, ...],
    most: int,
    every: tuple[float, float],
) -> list[Case]:
    more = {"HIP_PUSH_TIMEOUT": PUSH_PATIENCE}
    async with server_stage(
        folder, wait_scale=SCALE, report=lambda _: None, settings=more, gateway_options=PATIENCE
    ) as stage:
        stage = replace(stage, control=replace(stage.control, deadline=DEADLINE))
        chaos, play = Chaos(stage, random.Random(SEED), every), Play(stage)
        chaos.start("worker-2")
        clerk = await play.link(town)
        # The gateway would answer most wrong requests itself; here they are ours to refuse.
        await stage.control.scenario("unchecked-requests", paths=["data-flow"])
        drawn, gate = list(wishes(town, transfers=transfers, chance=random.Random(SEED))), asyncio.Semaphore(at_once)

        async def one(wish: Wish) -> None:
            async with gate:
                await play.grant_and_ask(wish)

        strikes = asyncio.create_task(chaos(first, most=most))
        await asyncio.gather(*(one(wish) for wish in drawn))
        while len(chaos.done) < len(first) and not strikes.done():
            await asyncio.sleep(0.05)
        strikes.cancel()
        with suppress(asyncio.CancelledError):
            await strikes
        await until_ended(chaos.database_url)
        cases = await _cases(play, chaos.database_url)
        assert len(cases) == transfers
        wrong = [
            f"{case.gateway.transaction_id} ({case.wish.fault}, {len(case.wish.contexts)} contexts): {each}"
            for case in cases
            for each in case.wrong(clerk, strikes=len(chaos.done))
        ]
        assert not wrong, f"seed {SEED}, {len(wrong)} faults after {chaos.done}:\n" + "\n".join(wrong[:30])
        assert play.over <= {case.asked.consent_id for case in cases if case.book.ended is not None}
        verified = await asyncio.to_thread(_verified, folder, chaos.service.environment_of("relay"))
        assert verified[0] == 0, verified
        return cases


def _verified(folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    scratch = folder / "verify"
    scratch.mkdir()
    ended = hip("audit", "verify", folder=scratch, settings=environment)
    return ended.code, ended.stdout + ended.stderr


@pytest.mark.timeout(600)
def test_eight_transfers_to_difficult_requesters_end_right_while_processes_are_killed():
    """REL-21, PUSH-06, PUSH-08: by seed (HIP_SOAK_SEED)."""
    with fresh_folder(inside=quick_disk()) as folder:
        first = ("worker", "redis", "serve")
        asyncio.run(
            _story(folder, Town(2, 9), transfers=8, at_once=8, first=first, most=3, every=(0.3, 0.8)),
        )


@pytest.mark.soak
@pytest.mark.timeout(2400)
def test_three_hundred_transfers_to_difficult_requesters_end_right_while_everything_is_killed():
    """REL-21, PUSH-06, PUSH-08: by seed (HIP_SOAK_SEED)."""
    first = ("worker", "relay", "serve", "worker-2", "redis", "worker", "postgres")
    with fresh_folder(inside=quick_disk()) as folder:
        cases = asyncio.run(
            _story(folder, Town(6, 40), transfers=300, at_once=8, first=first, most=100, every=(2, 6)),
        )
    midway = [case for case in cases if case.book.stopped() and case.came.held]
    assert len(midway) > 3, "hardly a consent was revoked while its pages were under way"
    assert max(len(case.wish.contexts) for case in cases) > 30

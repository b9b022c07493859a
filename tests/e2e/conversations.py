"""Whole conversations with the service, each played to its end; an end says what became of it, and why.

An end is only reached when both sides agree: what our API shows is held against what the gateway's books say.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from tests.e2e.townsfolk import Person

from hip.entrypoints.demo.stages import HIP_ID, Stage
from hip.entrypoints.sandbox.control_line import Refused
from hip.entrypoints.sandbox.views import ConsentCase, HiuTransferView

Json = dict[str, Any]
ENDED = frozenset({"linked", "refused", "sms-sent", "unanswered"})
WELL_ENDED = frozenset({"linked", "sms-sent", "TRANSFERRED", "announced", "revoked", "closed", "shared"})
MISTYPED_AT_MOST = 4
NOTIFIED_AT_MOST = 4  # the first time, and after 5, 15 and 60 seconds (contract §2.3)
ANNOUNCED_WITHIN = 300  # looks, 0.3 seconds apart
TOLD_WITHIN = 100  # looks, a tenth of a second apart; a notice that the gateway withholds never comes


@dataclass(frozen=True, slots=True)
class End:
    """``state`` is the last word, ``why`` the code or the text that explains it; empty for plain success."""

    kind: str
    state: str
    why: str = ""

    @property
    def explained(self) -> bool:
        """Success needs no reason, anything else has one."""
        return self.state in WELL_ENDED or self.why != ""


class Unexplained(AssertionError):
    """Both sides' books do not agree, or nobody says why."""


def hold(held: object, otherwise: str) -> None:
    """Raises Unexplained unless ``held``."""
    if not held:
        raise Unexplained(otherwise)


@dataclass(frozen=True, slots=True)
class Conversations:
    """What the hospital, the patient and the requester do; the service may be killed and started meanwhile."""

    stage: Stage
    unreadable: bool = False
    """The requester is one that may not be able to open what it gets."""

    async def link(self, person: Person) -> End:
        """A visit is handed over and linked by the hospital."""
        await self._hand_over(person, person.visit())
        return await self._linked(person, "link")

    async def sms(self, person: Person) -> End:
        """A visit without an ABHA address: a text message invites the patient, once at most."""
        await self._hand_over(person, person.visit(abha=False))
        shown = await self._ended_link(person)
        invitations = [sms for sms in await self.stage.control.sms_sent() if sms.mobile == person.mobile]
        hold(len(invitations) <= 1, f"{person.code}: {len(invitations)} invitations")
        hold(invitations or shown["status"] != "sms-sent", f"{person.code}: sms-sent, and nothing came")
        return End("sms", shown["status"], _reason(shown))

    async def find(self, person: Person) -> End:
        """The patient finds the visit by mobile number, picks it, and types the OTP that came by SMS."""
        await self._hand_over(person, person.visit(abha=False))
        await self._ended_link(person)
        control = self.stage.control
        found = await control.discover(person.address, HIP_ID)
        if found.status != "found":
            return End("find", "not found", found.problem.code if found.problem else "")
        hold(found.references() == [person.code], f"{person.code}: found {found.references()}")
        attempt = await control.choose(found)
        if attempt.status != "otp":
            return End("find", "no OTP", attempt.problem.code if attempt.problem else "")
        for _ in range(MISTYPED_AT_MOST):
            attempt = await control.enter_otp(attempt)
            if attempt.status == "linked":
                break
            hold(not await self._links(person) or attempt.problem, f"{person.code}: a wrong OTP linked something")
        if attempt.status != "linked":
            return End("find", "refused", attempt.problem.code if attempt.problem else "")
        await self._show(f"/v1/links/{person.code}", lambda shown: shown.get("status") == "linked")
        hold(await self._links(person) == [person.code], f"{person.code}: linked at our side alone")
        return End("find", "linked")

    async def transfer(self, person: Person) -> End:
        """Linked, consented to, asked for, pushed, accounted for."""
        end, _ = await self._transferred(person)
        return end

    async def revoke(self, person: Person) -> End:
        """After a transfer the patient takes the consent back: nothing more leaves."""
        end, case = await self._transferred(person)
        if case is None or not case.artefacts:
            return end
        [consent_id] = case.artefacts
        await self.stage.control.revoke(consent_id)
        held: Json = {}
        for _ in range(TOLD_WITHIN):
            held = await self._get(f"/v1/consents/{consent_id}")
            if held.get("status") == "REVOKED":
                break
            await asyncio.sleep(0.1)
        if held.get("status") == "REVOKED":
            with suppress(Refused):
                asked = await self.stage.control.request_data(consent_id)
                hold(asked.state == "refused", f"{person.code}: asked after the revocation and got {asked.state}")
            hold(held["hiTypes"] is None, f"{person.code}: the artefact of a revoked consent is kept")
            return End("revoke", "revoked")
        told = await self._revocations(consent_id)
        hold(not any(200 <= status < 300 for status in told), f"{person.code}: {held.get('status')} after {told}")
        return End("revoke", "not told", "the gateway withheld it, or gave up while the service was down")

    async def announce(self, person: Person) -> End:
        """A linked visit changes: the gateway is told, and again while it does not know the link."""
        end = await self.link(person)
        if end.state != "linked":
            return End("announce", end.state, end.why)
        await self._hand_over(person, person.visit(medicine="Paracetamol 650 mg tablet"))
        said: Json | None = None
        for _ in range(ANNOUNCED_WITHIN):
            await asyncio.sleep(0.3)
            # The list ends at a thousand: once it is seen there, it is asked for by its id.
            said = await self._get(f"/v1/exchanges/{said['id']}") if said else await self._announcement(person)
            if not said:
                continue
            last = said["attempts"][-1]
            if said["outcome"] == "answered" and not last["code"]:
                return End("announce", "announced", said["firstRefusal"] or "")
            if said["outcome"] == "unanswered":
                return End("announce", "unanswered", "no-answer")
            if len(said["attempts"]) >= NOTIFIED_AT_MOST and said["outcome"] == "refused" and last["code"]:
                return End("announce", "refused", last["code"])
        raise Unexplained(f"{person.code}: the change was not announced: {said}")

    async def share(self, person: Person) -> End:
        """The patient scans a counter's code, twice: one place in the queue, and the desk sees the profile once."""
        control = self.stage.control
        await control.register_patient(person.account())
        first, again = [await control.share_profile(person.address, HIP_ID, person.counter) for _ in range(2)]
        tokens = {shown.token_number for shown in (first, again) if shown.status == "shared"}
        hold(len(tokens) <= 1, f"{person.code}: two places in one queue: {tokens}")
        seen = [one for one in await self._list("/v1/queue?limit=1000") if _is_of(one, person)]
        hold(len(seen) <= 1, f"{person.code}: stands {len(seen)} times in the queue")
        if not tokens:
            return End("share", "not shared", first.problem.code if first.problem else "")
        hold(
            [one["tokenNumber"] for one in seen] == list(tokens), f"{person.code}: told {tokens}, the desk sees {seen}"
        )
        return End("share", "shared")

    async def close(self, person: Person) -> End:
        """The patient closes the ABHA account: links are forgotten, visits are kept."""
        end = await self.link(person)
        if end.state != "linked":
            return End("close", end.state, end.why)
        number = len(await self.stage.control.journal(path="patients/status/notify", direction="out"))
        await self.stage.control.change_account(person.address, "DELETED")
        shown = await self._show(
            f"/v1/visits/{person.code}", lambda seen: not seen["linked"], or_withheld=("patients/status/notify", number)
        )
        if shown["linked"]:
            return End("close", "not told", "withheld by the gateway")
        hold(shown["bundles"], f"{person.code}: clinical data went with the account")
        return End("close", "closed")

    async def _transferred(self, person: Person) -> tuple[End, ConsentCase | None]:
        end = await self.link(person)
        control = self.stage.control
        if not await self._links(person):
            return End("transfer", end.state, end.why), None
        case = await control.start_consent(person.address, ["Prescription"], hipId=HIP_ID)
        hold(case.consent_request_id, f"{person.code}: no consent request: {case.problem}")
        granted = await control.grant(case.consent_request_id or "")
        case = await control.wait_for_requests(case, len(granted.artefacts))
        [asked] = case.transfers[:1]
        if asked.transaction_id is None:
            # The consent manager gave up on us: it did not tell us, or lost what we said.
            return End("transfer", "refused", asked.problem.code if asked.problem else ""), case
        book = await self._show(
            f"/v1/transfers/{asked.transaction_id}", lambda seen: seen.get("state") in ("done", "dead")
        )
        await self._accounted(person, asked, book)
        reasons = [one["description"] for one in book["careContexts"] if one["description"]]
        return End("transfer", book["outcome"] or book["state"], "; ".join(map(str, reasons))), case

    async def _accounted(self, person: Person, asked: HiuTransferView, book: Json) -> None:
        control, transaction = self.stage.control, asked.transaction_id or ""
        told = {notify.session_status for notify in await control.notifies(transaction)}
        hold(told <= {book["outcome"]}, f"{person.code}: we say {book['outcome']}, the gateway was told {told}")
        received = await control.http.get(f"{control.hiu_url}/sandbox/transfers/{transaction}")
        if book["outcome"] != "TRANSFERRED":
            return
        hold(received.json()["pages"] >= 1, f"{person.code}: TRANSFERRED, and nothing came")
        if self.unreadable or {"raw-only", "x509-only", "strips-zeros"} & set(asked.faults):
            return  # whether such a requester can read anything is its own affair
        visit = await self._show(f"/v1/visits/{person.code}", bool)
        stored = {bundle["sha256"] for bundle in visit["bundles"]}
        records = await control.opened_records(transaction)
        problems = [record.problem for record in records if record.problem]
        hold(not problems, f"{person.code}: the requester cannot read it: {problems}")
        hold({record.sha256 for record in records} == stored, f"{person.code}: other bytes came than we hold")

    async def _linked(self, person: Person, kind: str) -> End:
        shown = await self._ended_link(person)
        links = await self._links(person)
        if shown["status"] == "linked":
            hold(links == [person.code], f"{person.code}: linked at our side, the gateway has {links}")
        return End(kind, shown["status"], _reason(shown))

    async def _ended_link(self, person: Person) -> Json:
        return await self._show(f"/v1/links/{person.code}", lambda shown: shown.get("status") in ENDED)

    async def _links(self, person: Person) -> list[str]:
        return [link.reference for link in await self.stage.control.links(person.address)]

    async def _revocations(self, consent_id: str) -> list[int]:
        """What came of each attempt to tell us; none of one that was withheld."""
        entries = await self.stage.control.journal(path="consent/request/hip/notify", direction="out")
        notices = [(entry.status, (entry.body or {}).get("notification", {})) for entry in entries]
        return [
            code for code, told in notices if (told.get("consentId"), told.get("status")) == (consent_id, "REVOKED")
        ]

    async def _announcement(self, person: Person) -> Json | None:
        """Our exchange about the change, known by the REQUEST-IDs that the gateway saw with this visit."""
        calls = await self.stage.control.journal(path="link/context/notify", direction="in")
        ids = {entry.request_id for entry in calls if f'"{person.code}"' in json.dumps(entry.body)}
        if not ids:
            return None
        exchanges = [one for one in await self._list("/v1/exchanges?limit=1000") if one["flow"] == "context-notify"]
        return next((one for one in exchanges if ids & {each["requestId"] for each in one["attempts"]}), None)

    async def _hand_over(self, person: Person, content: bytes) -> None:
        await self.stage.control.register_patient(person.account())
        while True:
            try:
                response = await self.stage.hmis.post("/v1/visits", content=content)
            except httpx.TransportError:
                response = None  # killed this very moment: an HMIS tries again
            if response is not None and response.status_code in (200, 202):
                return  # 200: it was taken before, and only the reply got lost
            hold(response is None or response.status_code == 503, f"{person.code}: {response}")
            await asyncio.sleep(0.2)

    async def _show(
        self, path: str, enough: Callable[[Json], object], *, or_withheld: tuple[str, int] | None = None
    ) -> Json:
        async def look() -> tuple[Json, bool]:
            missed = or_withheld is not None and await self._withheld(*or_withheld)
            return await self._get(path), missed

        seen, _ = await self.stage.control.until(path, look, lambda each: each[0] and (each[1] or enough(each[0])))
        return seen

    async def _withheld(self, path: str, before: int) -> bool:
        """Whether the gateway kept a callback to itself, among those after the first ``before``."""
        entries = await self.stage.control.journal(path=path, direction="out")
        return any(entry.note == "withheld" for entry in entries[before:])

    async def _get(self, path: str) -> Json:
        """Nothing while the service is down, or does not know it yet."""
        try:
            response = await self.stage.hmis.get(path)
        except httpx.TransportError:
            return {}
        shown: Json = response.json() if response.is_success else {}
        return shown

    async def _list(self, path: str) -> list[Json]:
        """Asked again while the service is down."""
        while True:
            with suppress(httpx.TransportError):
                response = await self.stage.hmis.get(path)
                if response.is_success:
                    shown: list[Json] = response.json()
                    return shown
            await asyncio.sleep(0.2)


Kind = Callable[[Conversations, Person], Awaitable[End]]
KINDS: dict[str, Kind] = {
    "link": Conversations.link,
    "sms": Conversations.sms,
    "find": Conversations.find,
    "transfer": Conversations.transfer,
    "revoke": Conversations.revoke,
    "close": Conversations.close,
    "announce": Conversations.announce,
    "share": Conversations.share,
}


async def play(
    stage: Stage, *, count: int, seed: int, at_once: int, first: int = 0
) -> tuple[dict[tuple[str, str, str], int], list[str]]:
    """``count`` conversations of random kinds, each with a person of its own: ends counted, and what was wrong."""
    chance, gate = random.Random(seed), asyncio.Semaphore(at_once)
    kinds = [chance.choice(list(KINDS)) for _ in range(count)]
    ends: dict[tuple[str, str, str], int] = {}
    wrong: list[str] = []

    async def one(number: int, kind: str) -> None:
        async with gate:
            try:
                end = await KINDS[kind](Conversations(stage), Person(first + number))
            except (AssertionError, Refused, httpx.HTTPError, KeyError, ValueError) as failure:
                wrong.append(f"{kind} {first + number}: {type(failure).__name__}: {failure}")
                return
        counted = (kind, end.state, end.why)
        ends[counted] = ends.get(counted, 0) + 1
        if not end.explained:
            wrong.append(f"{kind} {first + number}: ended as {end.state}, and nothing says why")

    await asyncio.gather(*(one(number, kind) for number, kind in enumerate(kinds, 1)))
    return ends, wrong


def _is_of(token: Json, person: Person) -> bool:
    return (token["profile"] or {}).get("abhaAddress") == person.address


def _reason(shown: Json) -> str:
    return str(shown.get("code") or (shown["status"] if shown["status"] == "unanswered" else ""))

"""What a play sees of the world: the hospital's HTTP API, and the far side's; and how it says what it shows."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

import httpx

from hip.application.ports import Clock
from hip.entrypoints.certify.catalogue import Case, Twin
from hip.entrypoints.certify.clocks import MovableClock
from hip.entrypoints.certify.townsfolk import Person
from hip.entrypoints.demo.stages import HIP_ID, Stage
from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.views import JournalEntry, OpenedRecord

T = TypeVar("T")
Json = dict[str, Any]
TWIN_PATIENCE = 1.5
"""Seconds that a twin waits for what must not come; a case waits as long as the stage says."""


class NotHeld(AssertionError):
    """A case does not hold: which rule, what was seen instead, and where an operator looks."""

    def __init__(self, rule: str, seen: str, look: str) -> None:
        super().__init__(f"{rule}: {seen}")
        self.rule, self.seen, self.look = rule, seen, look


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One thing that was shown to hold."""

    step: str
    result: str


@dataclass
class Scene:
    """One case on a stage, with a patient of its own. ``people`` makes more patients of the same seed."""

    stage: Stage
    case: Case
    people: Callable[[], Person]
    clock: Clock
    twin: Twin | None = None
    shown: list[Shown] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    transactions: list[str] = field(default_factory=list)
    consents: list[str] = field(default_factory=list)
    visits: list[str] = field(default_factory=list)
    records: list[OpenedRecord] = field(default_factory=list)
    rule: str = ""
    look: str = ""
    person: Person = field(init=False)

    def __post_init__(self) -> None:
        self.person = self.somebody()

    @property
    def control(self) -> SandboxControl:
        """The far side."""
        return self.stage.control

    @property
    def hurried(self) -> SandboxControl:
        """The same, for what a twin waits for in vain: it does not wait for it long."""
        never = self.twin is not None and self.twin.never
        return replace(self.control, deadline=TWIN_PATIENCE) if never else self.control

    def somebody(self) -> Person:
        """Another patient, whom this case alone knows."""
        person = self.people()
        self.subjects |= {person.address, person.mobile}
        return person

    def varied(self, name: str) -> bool:
        """Whether this is the twin called ``name``."""
        return self.twin is not None and self.twin.name == name

    def proves(self, rule: str, look: str) -> None:
        """From here on it is about ``rule``; ``look`` is a command or page for whoever finds it broken."""
        self.rule, self.look = rule, look

    def must(self, held: object, seen: str) -> None:
        """Raises NotHeld unless ``held``; ``seen`` says what was seen instead, without anything personal."""
        if not held:
            raise NotHeld(self.rule, seen, self.look)

    def show(self, step: str, result: str) -> None:
        """Something held."""
        self.shown.append(Shown(step=step, result=result))

    # The hospital.

    async def registered(self, person: Person | None = None) -> Person:
        """The patient has an ABHA account."""
        whom = person or self.person
        await self.stage.control.register_patient(whom.account())
        return whom

    async def hand_over(self, record: Json) -> httpx.Response:
        """POST /v1/visits."""
        self.subjects.add(str(record.get("visitCode")))
        self.visits.append(str(record.get("visitCode")))
        return await self.stage.hmis.post("/v1/visits", content=json.dumps(record).encode())

    async def get(self, path: str) -> Json:
        """What our API shows, ``{}`` for what it does not know."""
        self.stage.require_running()
        response = await self.stage.hmis.get(path)
        shown: Json = response.json() if response.is_success else {}
        return shown

    async def get_list(self, path: str) -> list[Json]:
        """A list of our API."""
        self.stage.require_running()
        response = await self.stage.hmis.get(path)
        shown: list[Json] = response.json() if response.is_success else []
        return shown

    async def pass_time(self, by: timedelta) -> None:
        """Let time go by: at once where the clock is ours, else by waiting."""
        if isinstance(self.clock, MovableClock):
            self.clock.advance(by)
        else:
            await asyncio.sleep(max(0.0, by.total_seconds()))

    async def until(self, awaited: str, path: str, enough: Callable[[Json], object], *, in_vain: bool = False) -> Json:
        """Our API, until it shows ``enough``; ``in_vain`` where a twin never sees it. Raises NeverHappened."""
        control = self.hurried if in_vain else self.control
        return await control.until(awaited, lambda: self.get(path), enough)

    async def built(self, code: str) -> Json:
        """The visit, once it has each of its documents."""
        return await self.until(
            f"the documents of visit {code}",
            f"/v1/visits/{code}",
            lambda seen: seen and len(seen["bundles"]) == len(seen["hiTypes"]),
        )

    async def link_ended(self, code: str) -> Json:
        """The link of a visit, once nothing more happens to it by itself."""
        ended = ("linked", "refused", "sms-sent", "unanswered")
        return await self.until(
            f"the end of the link of {code}", f"/v1/links/{code}", lambda seen: seen.get("status") in ended
        )

    async def linked(self, record: Json, person: Person | None = None) -> Json:
        """A visit of a registered patient handed over and linked; what our API shows of it."""
        await self.registered(person)
        taken = await self.hand_over(record)
        self.must(taken.status_code == 202, f"the visit was answered HTTP {taken.status_code}")
        code = str(record["visitCode"])
        ended = await self.link_ended(code)
        self.must(ended["status"] == "linked", f"the link ended as {ended['status']} {ended['code'] or ''}")
        return await self.get(f"/v1/visits/{code}")

    # The far side.

    async def calls(self, path: str, *, mentioning: str = "") -> list[JournalEntry]:
        """Our calls to the gateway at ``path`` whose body mentions ``mentioning`` (this patient, unless given)."""
        wanted = mentioning or self.person.address
        made = await self.stage.control.journal(path=path, direction="in")
        return [entry for entry in made if wanted in json.dumps(entry.body)]

    async def asked(self, hi_types: tuple[str, ...], *, deny: bool = False, **wish: Any) -> str:
        """A consent of this patient, granted and acknowledged by us; its id. Empty when it was denied."""
        case = await self.control.start_consent(self.person.address, hi_types, hipId=HIP_ID, **wish)
        request = case.consent_request_id or ""
        self.must(request, f"the request was answered {case.problem.code if case.problem else 'nothing'}")
        if deny:
            await self.control.deny(request)
            await self.control.wait_for_status(case, "DENIED")
            return ""
        [consent_id] = (await self.control.grant(request)).artefacts
        self.consents.append(consent_id)
        self.subjects.add(consent_id)
        await self.control.wait_for_acknowledgement(consent_id)
        return consent_id

    async def received(self, consent_id: str) -> list[OpenedRecord]:
        """What the requester got under a consent by asking once, as it does by itself, opened."""
        transfer = await self.control.wait_for_transfer_at(consent_id)
        transaction = transfer.transaction_id
        self.followed(transaction)
        notify = await self.control.wait_for_notify(transaction)
        self.must(
            notify.session_status == "TRANSFERRED",
            f"the transfer ended as {notify.session_status}: {', '.join(sorted(set(notify.descriptions.values())))}",
        )
        await self.until(
            "the end of the transfer", f"/v1/transfers/{transaction}", lambda seen: seen.get("state") == "done"
        )
        self.records += (records := await self.control.opened_records(transaction))
        return records

    def followed(self, transaction_id: str) -> None:
        """A transfer that belongs to this case."""
        self.transactions.append(transaction_id)
        self.subjects.add(transaction_id)

"""Milestone M2, once: each step does one thing over HTTP and holds what came of it against what was expected."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hip.domain.errors import HipError
from hip.entrypoints.demo.examples import Example, example_profiles, example_visits
from hip.entrypoints.demo.stages import HIP_ID, Stage
from hip.entrypoints.sandbox.control_line import NeverHappened, Refused
from hip.entrypoints.sandbox.parties import Patient
from hip.entrypoints.sandbox.views import ConsentCase, DiscoveryView, OpenedRecord

MEERA, SURESH, ANIL, FATIMA, HARPREET = "88120", "88134", "88141", ("87502", "88170"), "IP-4471"
HI_TYPES = ("OPConsultation", "Prescription")


class Unexpected(AssertionError):
    """Something else happened than the story says."""


def expect(held: object, otherwise: str) -> None:
    """Raises Unexpected unless ``held``."""
    if not held:
        raise Unexpected(otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """One line of the table. ``seconds`` is wall time."""

    number: int
    step: str
    outcome: str
    seconds: float
    held: bool


async def introduce(stage: Stage) -> int:
    """Tell the gateway, which remembers nothing, of the ABHA accounts and of us; how many accounts."""
    profiles = example_profiles()
    for profile in profiles:
        await stage.control.register_patient(profile)
    await stage.register_bridge()
    return len(profiles)


@dataclass
class Story:
    """Plays the steps in order; what one learns the next may use."""

    stage: Stage
    tell: Callable[[StepResult], None]
    visits: dict[str, Example] = field(default_factory=dict)
    bundles: dict[str, dict[str, str]] = field(default_factory=dict)
    cases: dict[str, ConsentCase] = field(default_factory=dict)
    found: DiscoveryView | None = None
    results: list[StepResult] = field(default_factory=list)

    async def play(self) -> bool:
        """True when every expectation held. A step that fails ends the story: the next ones build on it."""
        for number, (step, play) in enumerate(self._steps(), 1):
            began = time.perf_counter()
            try:
                outcome, held = await play(), True
            except (Unexpected, NeverHappened, Refused, HipError, KeyError) as failure:
                outcome, held = f"{type(failure).__name__}: {failure}", False
            result = StepResult(
                number=number, step=step, outcome=outcome, seconds=time.perf_counter() - began, held=held
            )
            self.results.append(result)
            self.tell(result)
            if not held:
                return False
        return True

    def _steps(self) -> tuple[tuple[str, Callable[[], Awaitable[str]]], ...]:
        return (
            ("register the callback address and the ABHA accounts", self._register),
            ("hand over six visits of five patients", self._hand_over),
            ("make a validated FHIR bundle of each", self._build),
            ("link them to the patients' ABHA addresses", self._link),
            ("show the desk a link that was refused", self._refused),
            ("send the patient without ABHA an SMS deep link", self._sms),
            ("be found by that patient's app", self._discover),
            ("let that patient link with the OTP that came by SMS", self._link_by_otp),
            ("receive a consent and acknowledge it", self._consent),
            ("encrypt and push what it allows", self._transfer),
            ("let a date-limited consent release one visit of two", self._limited),
            ("forget a consent that the patient revokes", self._revoke),
            ("compare what the requester decrypted, byte for byte", self._compare),
            ("account for every transfer as the gateway does", self._account),
        )

    async def _register(self) -> str:
        accounts = await introduce(self.stage)
        return f"{accounts} accounts; callbacks go to {self.stage.addresses['hip']}"

    async def _hand_over(self) -> str:
        for example in example_visits():
            response = await self.stage.hmis.post("/v1/visits", content=example.content)
            expect(response.status_code == 202, f"{example.name}: HTTP {response.status_code} {response.text}")
            self.visits[example.record.visit_code] = example
        return f"{len(self.visits)} taken"

    async def _build(self) -> str:
        for code in self.visits:
            shown = await self._visit(code, lambda seen: len(seen["bundles"]) == len(seen["hiTypes"]))
            expect(all(b["valid"] for b in shown["bundles"]), f"visit {code} has an invalid bundle")
            self.bundles[code] = {b["hiType"]: b["sha256"] for b in shown["bundles"]}
        count = sum(len(types) for types in self.bundles.values())
        return f"{count} bundles, all valid"

    async def _link(self) -> str:
        linked = {"meera.k01@sbx": [MEERA], "fatima.s90@sbx": list(FATIMA), "harpreet.s58@sbx": [HARPREET]}
        for address, codes in linked.items():
            contexts = {c.reference: c for c in await self.stage.control.wait_for_links(address, codes)}
            for code in codes:
                expect(set(contexts[code].hi_types) == set(self.bundles[code]), f"{code} is linked with other types")
                await self._visit(code, lambda seen: seen["linked"])
        return "4 care contexts linked, confirmed by callback"

    async def _refused(self) -> str:
        link = await self._await_link(ANIL, "refused")
        expect(link["code"] == "ABDM-1207", f"the code is {link['code']}")
        return f"{link['code']}: {link['advice']}"

    async def _sms(self) -> str:
        mobile = self.visits[SURESH].record.patient.phone or ""
        await self.stage.control.wait_for_sms(mobile)
        await self._await_link(SURESH, "sms-sent")
        expect(len(await self.stage.control.sms_inbox(mobile)) == 1, "more than one SMS was sent")
        return f"one message to ******{mobile[-4:]}"

    async def _discover(self) -> str:
        patient = self.visits[SURESH].record.patient
        account = Patient(
            abha_address="suresh.y69@sbx",
            abha_number="91000000000202",
            name=patient.name,
            gender="M",
            year_of_birth=patient.birth_year,
            mobile=patient.phone or "",
        )
        await self.stage.control.register_patient(account)
        found = await self.stage.control.discover(account.abha_address, HIP_ID)
        expect(found.status == "found", f"the search ended as {found.status}: {found.problem}")
        expect(found.references() == [SURESH], f"found {found.references()}")
        self.found = found
        return f"care context {SURESH}, matched by {', '.join(found.matched_by)}"

    async def _link_by_otp(self) -> str:
        expect(self.found is not None, "nothing was found before")
        if self.found is None:
            return ""
        chosen = await self.stage.control.choose(self.found)
        expect(chosen.status == "otp", f"the linking ended as {chosen.status}: {chosen.problem}")
        wrong = await self.stage.control.enter_otp(chosen, "not-it")
        expect(wrong.status == "failed", f"a wrong OTP ended as {wrong.status}")
        expect(not await self.stage.control.links(self.found.abha_address), "a wrong OTP linked something")
        linked = await self.stage.control.enter_otp(chosen)
        expect(linked.status == "linked", f"the right OTP ended as {linked.status}: {linked.problem}")
        await self._visit(SURESH, lambda seen: seen["linked"])
        await self._await_link(SURESH, "linked")
        return f"{SURESH} linked; a wrong OTP before it linked nothing"

    async def _consent(self) -> str:
        case = await self.stage.control.consented("meera.k01@sbx", HI_TYPES, hipId=HIP_ID)
        self.cases["meera"] = case
        expect(len(case.artefacts) == 1, f"{len(case.artefacts)} artefacts: {case.problem}")
        await self.stage.control.wait_for_acknowledgement(case.artefacts[0])
        return "granted in the patient's app, stored, acknowledged"

    async def _transfer(self) -> str:
        return await self._delivered("meera", {MEERA: "DELIVERED"}, pages=2)

    async def _limited(self) -> str:
        old, new = FATIMA
        day = self.visits[new].record.clinical_date.date().isoformat()
        dates = {"from": f"{day}T00:00:00.000Z", "to": f"{day}T23:59:59.000Z"}
        types = sorted({t for code in FATIMA for t in self.bundles[code]})
        case = await self.stage.control.consented("fatima.s90@sbx", types, hipId=HIP_ID, dateRange=dates)
        self.cases["fatima"] = case
        expect(len(case.artefacts) == 1, f"{len(case.artefacts)} artefacts: {case.problem}")
        expected = {old: "ERRORED", new: "DELIVERED"}
        outcome = await self._delivered("fatima", expected, pages=len(self.bundles[new]))
        return f"{outcome}; nothing of {old} left"

    async def _revoke(self) -> str:
        [consent_id] = self.cases["meera"].artefacts
        await self.stage.control.revoke(consent_id)
        await self.stage.control.wait_for_acknowledgement(consent_id, "REVOKED")
        kept = (await self.stage.hmis.get(f"/v1/consents/{consent_id}")).json()
        expect(
            kept["status"] == "REVOKED" and kept["hiTypes"] is None, f"the artefact is still there: {kept['status']}"
        )
        asked = await self.stage.control.request_data(consent_id)
        expect(asked.state == "refused", f"the next request ended as {asked.state}")
        return f"a tombstone is left; the next request is refused with {asked.problem.code if asked.problem else '-'}"

    async def _compare(self) -> str:
        compared = 0
        for name, codes in {"meera": [MEERA], "fatima": [FATIMA[1]]}.items():
            records = await self._opened(name)
            expected = {
                sha for code in codes for t, sha in self.bundles[code].items() if name != "meera" or t in HI_TYPES
            }
            expect({record.sha256 for record in records} == expected, f"{name}'s bundles differ from ours")
            compared += len(records)
        return f"{compared} bundles identical, checksums right, read as FHIR R4"

    async def _account(self) -> str:
        response = await self.stage.hmis.get("/v1/transfers")
        ours = {t["transactionId"]: t for t in response.json()}
        for seen in await self.stage.control.transfers():
            told = {n.session_status for n in seen.notifies if n.notifier == "HIP"}
            book = ours.get(seen.transaction_id)
            expect(book is not None, f"transfer {seen.transaction_id} is not in our books")
            if book is not None and told:
                expect(told == {book["outcome"]}, f"we say {book['outcome']}, the gateway was told {told}")
        findings = await self.stage.control.findings()
        expect(not findings, f"the gateway noted: {[f.rule for f in findings]}")
        return f"{len(ours)} transfers in both books, no finding"

    async def _delivered(self, name: str, expected: dict[str, str], *, pages: int) -> str:
        [asked] = self.cases[name].transfers
        received = await self.stage.control.wait_for_pages(asked)
        transaction = received.transaction_id or ""
        expect(received.pages == pages, f"{received.pages} pages came, {pages} were due")
        notify = await self.stage.control.wait_for_notify(transaction)
        expect(notify.session_status == "TRANSFERRED", f"the notify says {notify.session_status}")
        expect(notify.outcomes == expected, f"the notify says {notify.outcomes}")
        return f"{pages} pages, each under its own key; {notify.session_status}"

    async def _opened(self, name: str) -> list[OpenedRecord]:
        [asked] = (await self.stage.control.case(self.cases[name].id)).transfers[:1]
        records = await self.stage.control.opened_records(asked.transaction_id or "")
        problems = [record.problem for record in records if record.problem or record.checksum != "match"]
        expect(records and not problems, f"the requester could not open what it got: {problems}")
        return records

    async def _visit(self, code: str, enough: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        return await self._until(f"visit {code}", f"/v1/visits/{code}", enough)

    async def _await_link(self, code: str, status: str) -> dict[str, Any]:
        return await self._until(
            f"link {code} as {status}", f"/v1/links/{code}", lambda seen: seen.get("status") == status
        )

    async def _until(self, awaited: str, path: str, enough: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        async def look() -> dict[str, Any]:
            self.stage.require_running()
            response = await self.stage.hmis.get(path)
            shown: dict[str, Any] = response.json()
            return shown

        return await self.stage.control.until(awaited, look, enough)

"""Drives the sandbox from a test, the demo or a shell: every wait has a deadline and says what it waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import msgspec

from hip.entrypoints.sandbox.gateway.scenarios import MIXED_PATHS, SCENARIOS
from hip.entrypoints.sandbox.hiu.config import MIXED_FAULTS
from hip.entrypoints.sandbox.parties import Client, Patient
from hip.entrypoints.sandbox.switches import Switch, at_random
from hip.entrypoints.sandbox.views import (
    ConsentCase,
    ConsentRequestView,
    ConsentView,
    DiscoveryView,
    Finding,
    HiuTransferView,
    JournalEntry,
    LinkAttemptView,
    LinkedContext,
    NotifyView,
    OpenedRecord,
    SealedTransfer,
    ShareView,
    Sms,
    TransferView,
)

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.25  # seconds between looks


class NeverHappened(AssertionError):
    """The deadline passed. Says what was awaited and the state last seen."""

    def __init__(self, awaited: str, seconds: float, last: object) -> None:
        super().__init__(f"{awaited} did not happen within {seconds:g} s; last seen: {last!r}")


class Refused(RuntimeError):
    """A control call was answered with an error: the status and what the app said."""

    def __init__(self, method: str, path: str, response: httpx.Response) -> None:
        super().__init__(f"{method} {path}: {response.status_code} {response.text[:500]}")
        self.status = response.status_code


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxControl:
    """``http`` reaches the three apps at their base URLs. ``deadline`` is in seconds, for each wait."""

    http: httpx.AsyncClient
    gateway_url: str = "http://gateway.sandbox"
    hiu_url: str = "http://hiu.sandbox"
    patient_url: str = "http://phr.sandbox"
    deadline: float = 30.0

    # The gateway.

    async def register_patient(self, patient: Patient) -> Patient:
        """Open or replace an ABHA account."""
        return await self._post(self.gateway_url, "/patients", patient, Patient)

    async def register_client(self, client: Client) -> None:
        """Add a client with its facilities; the bridge URL may come later, by PATCH."""
        await self._send("POST", self.gateway_url, "/clients", client)

    async def change_account(self, abha_address: str, status: str) -> None:
        """``DEACTIVATED``, ``REACTIVATED`` or ``DELETED``: every HIP with links is told."""
        await self._send("POST", self.gateway_url, f"/patients/{abha_address}/status", {"status": status})

    async def journal(
        self, *, path: str = "", direction: str = "", request_id: str = "", after: int = 0
    ) -> list[JournalEntry]:
        """Calls and callbacks, oldest first; ``path`` is a part of the path."""
        params = {"path": path, "direction": direction, "request_id": request_id, "after": after}
        return await self._get(self.gateway_url, "/journal", list[JournalEntry], **params)

    async def findings(self) -> list[Finding]:
        """What the HIP did that the real gateway would let pass."""
        return await self._get(self.gateway_url, "/findings", list[Finding])

    async def links(self, abha_address: str = "", hip_id: str = "") -> list[LinkedContext]:
        """The linked care contexts."""
        return await self._get(self.gateway_url, "/links", list[LinkedContext], patient=abha_address, hip=hip_id)

    async def wait_for_links(self, abha_address: str, references: Sequence[str]) -> list[LinkedContext]:
        """Until all of ``references`` are linked."""

        def all_linked(found: list[LinkedContext]) -> bool:
            return set(references) <= {link.reference for link in found}

        return await self.until(f"the link of {sorted(references)}", lambda: self.links(abha_address), all_linked)

    async def wait_for_callback(self, path: str, *, after: int = 0) -> JournalEntry:
        """Until a callback whose path contains ``path`` was taken (2xx); the newest."""

        def taken(entries: list[JournalEntry]) -> bool:
            return any(200 <= entry.status < 300 for entry in entries)

        found = await self.until(
            f"the callback {path}", lambda: self.journal(path=path, direction="out", after=after), taken
        )
        return [entry for entry in found if 200 <= entry.status < 300][-1]

    async def wait_for_call(self, path: str, *, after: int = 0) -> JournalEntry:
        """Until the gateway was called at a path that contains ``path``; the newest, accepted or refused."""
        found = await self.until(
            f"a call of {path}", lambda: self.journal(path=path, direction="in", after=after), bool
        )
        return found[-1]

    async def sms_sent(self) -> list[Sms]:
        """Every text message the gateway sent, to whatever number."""
        return await self._get(self.gateway_url, "/sms", list[Sms])

    async def scenario(self, name: str, *, on: bool = True, **more: Any) -> None:
        """Switch a scenario (see ``SCENARIOS``); ``more``: paths, times, chance, seed."""
        switch = msgspec.convert({"name": name, "on": on, **more}, Switch)
        await self._send("POST", self.gateway_url, "/scenarios", switch)

    async def everything_at_random(self, *, seed: int, chance: float, but: Collection[str] = ()) -> None:
        """Switch every scenario of the gateway and every fault of the requester on, ``but`` these, with ``chance``."""
        for base, known in ((self.gateway_url, SCENARIOS), (self.hiu_url, MIXED_FAULTS)):
            names = [name for name in known if name not in but]
            for switch in at_random(names, seed=seed, chance=chance, paths=MIXED_PATHS):
                await self._send("POST", base, "/scenarios", switch)

    async def no_scenarios(self) -> None:
        """Switch everything off, at the requester too."""
        await self._send("DELETE", self.gateway_url, "/scenarios")
        await self._send("DELETE", self.hiu_url, "/scenarios")

    async def end_sessions(self) -> None:
        """Every access token meets 401 from now on."""
        await self._send("POST", self.gateway_url, "/sessions/end")

    async def rotate_keys(self) -> None:
        """Callbacks are signed with a new key from now on."""
        await self._send("POST", self.gateway_url, "/keys/rotate")

    async def consent(self, consent_id: str) -> ConsentView:
        """An artefact as the gateway knows it."""
        return await self._get(self.gateway_url, f"/consents/{consent_id}", ConsentView)

    async def consents(self, abha_address: str = "") -> list[ConsentView]:
        """Every artefact of a patient."""
        return await self._get(self.gateway_url, "/consents", list[ConsentView], patient=abha_address)

    async def wait_for_acknowledgement(self, consent_id: str, status: str = "GRANTED") -> ConsentView:
        """Until the HIP acknowledged the newest notice of an artefact whose status is ``status``."""

        def acknowledged(seen: ConsentView) -> bool:
            return seen.status == status and seen.hip_acknowledged is not None

        return await self.until(f"the HIP's on-notify for {status}", lambda: self.consent(consent_id), acknowledged)

    async def expire(self, consent_id: str) -> ConsentView:
        """The consent manager says the artefact expired."""
        return await self._post(self.gateway_url, f"/consents/{consent_id}/expire", None, ConsentView)

    async def transfer(self, transaction_id: str) -> TransferView:
        """A transfer as the gateway saw it."""
        return await self._get(self.gateway_url, f"/transfers/{transaction_id}", TransferView)

    async def transfers(self) -> list[TransferView]:
        """Every transfer."""
        return await self._get(self.gateway_url, "/transfers", list[TransferView])

    async def notifies(self, transaction_id: str, notifier: str = "HIP") -> list[NotifyView]:
        """The transfer notifies of one end, in order."""
        seen = (await self.transfer(transaction_id)).notifies
        return [each for each in seen if each.notifier == notifier]

    async def wait_for_notify(self, transaction_id: str, notifier: str = "HIP") -> NotifyView:
        """Until this end reported; its newest report."""
        found = await self.until(
            f"the transfer notify of the {notifier}", lambda: self.notifies(transaction_id, notifier), bool
        )
        return found[-1]

    async def wait_for_transfer_at(self, consent_id: str, *, known: Sequence[str] = ()) -> TransferView:
        """Until the gateway asked a HIP for data under this consent; the newest that is not among ``known``."""

        async def look() -> list[TransferView]:
            every = await self.transfers()
            return [each for each in every if each.consent_id == consent_id and each.transaction_id not in known]

        return (await self.until(f"a data request under {consent_id}", look, bool))[-1]

    # The patient.

    async def sms_inbox(self, mobile: str) -> list[Sms]:
        """The text messages of a mobile number."""
        return await self._get(self.patient_url, "/sms", list[Sms], mobile=mobile)

    async def wait_for_sms(self, mobile: str, *, more_than: int = 0) -> Sms:
        """Until more than ``more_than`` messages came; the newest."""
        found = await self.until("a text message", lambda: self.sms_inbox(mobile), lambda inbox: len(inbox) > more_than)
        return found[-1]

    async def discover(
        self, abha_address: str, hip_id: str, *, identifiers: Sequence[dict[str, str]] | None = None
    ) -> DiscoveryView:
        """Search at a HIP and wait for its answer: ``found`` or ``failed``."""
        search = {"abhaAddress": abha_address, "hipId": hip_id, "unverifiedIdentifiers": identifiers}
        started = await self._post(self.patient_url, "/discoveries", search, DiscoveryView)
        path = f"/discoveries/{started.id}"
        return await self.until(
            "the answer to the discovery",
            lambda: self._get(self.patient_url, path, DiscoveryView),
            lambda seen: seen.status != "waiting",
        )

    async def choose(self, discovery: DiscoveryView, references: Sequence[str] | None = None) -> LinkAttemptView:
        """Pick care contexts (all by default) and wait for the HIP: ``otp`` or ``failed``."""
        path = f"/discoveries/{discovery.id}/links"
        started = await self._post(self.patient_url, path, {"careContexts": references}, LinkAttemptView)
        return await self._attempt(started.id, "the HIP's answer to link init", ("otp", "failed"))

    async def enter_otp(self, attempt: LinkAttemptView, otp: str | None = None) -> LinkAttemptView:
        """Type the OTP, by default the one that comes to the telephone, and wait: ``linked`` or ``failed``."""

        async def typed() -> int:
            try:
                await self._send("POST", self.patient_url, f"/link-attempts/{attempt.id}/otp", {"otp": otp})
            except Refused as refused:
                return refused.status
            return 200

        status = await self.until("an OTP by text message", typed, lambda seen: seen != 409 or otp is not None)
        if status != 200:
            raise NeverHappened("a step at which an OTP is asked for", 0, attempt)
        return await self._attempt(attempt.id, "the HIP's answer to the OTP", ("linked", "failed"))

    async def share_profile(
        self, abha_address: str, hip_id: str, context: str, *, intent: str = "PROFILE_SHARE"
    ) -> ShareView:
        """Scan a counter's code and wait: ``shared`` or ``failed``."""
        scan = {"abhaAddress": abha_address, "hipId": hip_id, "context": context, "intent": intent}
        started = await self._post(self.patient_url, "/shares", scan, ShareView)
        return await self.until(
            "the HIP's answer to the share",
            lambda: self._get(self.patient_url, f"/shares/{started.id}", ShareView),
            lambda seen: seen.status != "waiting",
        )

    async def pending_consents(self, abha_address: str) -> list[ConsentRequestView]:
        """What waits for the patient's decision."""
        found = await self._get(self.patient_url, "/consent-requests", list[ConsentRequestView], patient=abha_address)
        return [request for request in found if request.status == "REQUESTED"]

    async def grant(self, consent_request_id: str, **narrowing: Any) -> ConsentRequestView:
        """Grant, perhaps less than asked: ``hips``, ``hiTypes``, ``dateRange``, ``careContexts``, ``dataEraseAt``."""
        path = f"/consent-requests/{consent_request_id}/grant"
        return await self._post(self.patient_url, path, narrowing, ConsentRequestView)

    async def deny(self, consent_request_id: str) -> ConsentRequestView:
        """Refuse."""
        return await self._post(
            self.patient_url, f"/consent-requests/{consent_request_id}/deny", None, ConsentRequestView
        )

    async def revoke(self, consent_id: str) -> ConsentView:
        """Take an artefact back."""
        return await self._post(self.patient_url, f"/consents/{consent_id}/revoke", None, ConsentView)

    # The requester.

    async def start_consent(self, patient: str, hi_types: Sequence[str], **wish: Any) -> ConsentCase:
        """Ask, wait for the gateway's number. ``wish``: ``hipId``, ``careContexts``, ``purpose``, ``dateRange``..."""
        asked = {"patient": patient, "hiTypes": list(hi_types), **wish}
        started = await self._post(self.hiu_url, "/consents", asked, ConsentCase)
        return await self._case(
            started.id, "the number of the consent request", lambda c: bool(c.consent_request_id or c.problem)
        )

    async def consented(self, patient: str, hi_types: Sequence[str], **wish: Any) -> ConsentCase:
        """Ask, grant as asked, and wait until the HIU holds the artefacts and asked for their data."""
        case = await self.start_consent(patient, hi_types, **wish)
        if case.consent_request_id is None:
            return case
        granted = await self.grant(case.consent_request_id)
        return await self.wait_for_requests(case, len(granted.artefacts))

    async def case(self, case_id: str) -> ConsentCase:
        """A consent request as the HIU knows it."""
        return await self._get(self.hiu_url, f"/consents/{case_id}", ConsentCase)

    async def cases(self) -> list[ConsentCase]:
        """Every consent request of the HIU."""
        return await self._get(self.hiu_url, "/consents", list[ConsentCase])

    async def wait_for_status(self, case: ConsentCase, status: str) -> ConsentCase:
        """Until the HIU was told this status."""
        return await self._case(case.id, f"the notice {status} to the HIU", lambda seen: seen.status == status)

    async def wait_for_requests(self, case: ConsentCase, count: int) -> ConsentCase:
        """Until the HIU asked for data ``count`` times, and every request was accepted or refused."""

        def settled(seen: ConsentCase) -> bool:
            return len(seen.transfers) >= count and all(t.state != "asked" for t in seen.transfers)

        return await self._case(case.id, f"{count} data requests", settled)

    async def request_data(self, consent_id: str, **wish: Any) -> HiuTransferView:
        """Ask for data (``dateRange``, ``dataPushUrl``, ``keyExpiry``) and wait until it is accepted or refused."""
        asked = await self._post(self.hiu_url, f"/artefacts/{consent_id}/requests", wish, HiuTransferView)
        return await self._request(asked.request_id, "the answer to the data request", ("asked",))

    async def wait_for_pages(self, transfer: HiuTransferView) -> HiuTransferView:
        """Until every page came, or the request was refused."""
        return await self._request(transfer.request_id, "every page", ("asked", "accepted", "receiving"))

    async def hiu_transfers(self) -> list[HiuTransferView]:
        """Every request for data of the HIU."""
        return await self._get(self.hiu_url, "/transfers", list[HiuTransferView])

    async def opened_records(self, transaction_id: str) -> list[OpenedRecord]:
        """Open what came so far: 33 ms and more for each page."""
        return await self._post(self.hiu_url, f"/transfers/{transaction_id}/open", None, list[OpenedRecord])

    async def sealed_pages(self, transaction_id: str) -> SealedTransfer:
        """What came, still sealed, with what opens it: for another decryptor."""
        return await self._get(self.hiu_url, f"/transfers/{transaction_id}/sealed", SealedTransfer)

    async def hiu_faults(self, *faults: str) -> None:
        """Be difficult in these ways from now on (see ``FAULTS``); none: behave."""
        await self._send("POST", self.hiu_url, "/faults", {"faults": faults})

    # Waiting and calling.

    async def until(self, awaited: str, look: Callable[[], Awaitable[T]], enough: Callable[[T], object]) -> T:
        """Look until it is ``enough``. Raises NeverHappened after the deadline."""
        end, pause = time.monotonic() + self.deadline, FIRST_PAUSE
        while True:
            last = await look()
            if enough(last):
                return last
            if time.monotonic() > end:
                raise NeverHappened(awaited, self.deadline, last)
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    async def _attempt(self, journey: str, awaited: str, states: Sequence[str]) -> LinkAttemptView:
        return await self.until(
            awaited,
            lambda: self._get(self.patient_url, f"/link-attempts/{journey}", LinkAttemptView),
            lambda seen: seen.status in states,
        )

    async def _case(self, case_id: str, awaited: str, enough: Callable[[ConsentCase], bool]) -> ConsentCase:
        return await self.until(awaited, lambda: self.case(case_id), enough)

    async def _request(self, request_id: str, awaited: str, unfinished: Sequence[str]) -> HiuTransferView:
        return await self.until(
            awaited,
            lambda: self._get(self.hiu_url, f"/requests/{request_id}", HiuTransferView),
            lambda seen: seen.state not in unfinished,
        )

    async def _get(self, base: str, path: str, kind: type[T], /, **params: Any) -> T:
        return msgspec.json.decode((await self._send("GET", base, path, params=params)).content, type=kind)

    async def _post(self, base: str, path: str, body: Any, kind: type[T]) -> T:
        return msgspec.json.decode((await self._send("POST", base, path, body)).content, type=kind)

    async def _send(
        self, method: str, base: str, path: str, body: Any = None, *, params: dict[str, Any] | None = None
    ) -> httpx.Response:
        content = msgspec.json.encode(body) if body is not None else None
        response = await self.http.request(method, f"{base}/sandbox{path}", content=content, params=params or None)
        if not response.is_success:
            raise Refused(method, path, response)
        return response

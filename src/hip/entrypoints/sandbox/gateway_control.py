"""The gateway's control API: accounts, scenarios, and what the gateway saw of the HIP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hip.entrypoints.sandbox.control_line import ControlLine
from hip.entrypoints.sandbox.parties import Client, Patient
from hip.entrypoints.sandbox.switches import Switch
from hip.entrypoints.sandbox.views import (
    ConsentView,
    Finding,
    JournalEntry,
    LinkedContext,
    NotifyView,
    Sms,
    TransferView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayControl(ControlLine):
    """What a test does at the gateway, and what it sees there."""

    async def register_patient(self, patient: Patient) -> Patient:
        """Open or replace an ABHA account."""
        return await self.post(self.gateway_url, "/patients", patient, Patient)

    async def register_client(self, client: Client) -> None:
        """Add a client with its facilities; the bridge URL may come later, by PATCH."""
        await self.send("POST", self.gateway_url, "/clients", client)

    async def change_account(self, abha_address: str, status: str) -> None:
        """``DEACTIVATED``, ``REACTIVATED`` or ``DELETED``: every HIP with links is told."""
        await self.send("POST", self.gateway_url, f"/patients/{abha_address}/status", {"status": status})

    async def journal(
        self, *, path: str = "", direction: str = "", request_id: str = "", after: int = 0
    ) -> list[JournalEntry]:
        """Calls and callbacks, oldest first; ``path`` is a part of the path."""
        params = {"path": path, "direction": direction, "request_id": request_id, "after": after}
        return await self.get(self.gateway_url, "/journal", list[JournalEntry], **params)

    async def findings(self) -> list[Finding]:
        """What the HIP did that the real gateway would let pass."""
        return await self.get(self.gateway_url, "/findings", list[Finding])

    async def links(self, abha_address: str = "", hip_id: str = "") -> list[LinkedContext]:
        """The linked care contexts."""
        return await self.get(self.gateway_url, "/links", list[LinkedContext], patient=abha_address, hip=hip_id)

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
        return await self.get(self.gateway_url, "/sms", list[Sms])

    async def scenario(self, name: str, *, on: bool = True, **more: Any) -> None:
        """Switch a scenario (see ``SCENARIOS``); ``more``: paths, times, chance, seed."""
        switch = msgspec.convert({"name": name, "on": on, **more}, Switch)
        await self.send("POST", self.gateway_url, "/scenarios", switch)

    async def end_sessions(self) -> None:
        """Every access token meets 401 from now on."""
        await self.send("POST", self.gateway_url, "/sessions/end")

    async def rotate_keys(self) -> None:
        """Callbacks are signed with a new key from now on."""
        await self.send("POST", self.gateway_url, "/keys/rotate")

    async def consent(self, consent_id: str) -> ConsentView:
        """An artefact as the gateway knows it."""
        return await self.get(self.gateway_url, f"/consents/{consent_id}", ConsentView)

    async def consents(self, abha_address: str = "") -> list[ConsentView]:
        """Every artefact of a patient."""
        return await self.get(self.gateway_url, "/consents", list[ConsentView], patient=abha_address)

    async def wait_for_acknowledgement(self, consent_id: str, status: str = "GRANTED") -> ConsentView:
        """Until the HIP acknowledged the newest notice of an artefact whose status is ``status``."""

        def acknowledged(seen: ConsentView) -> bool:
            return seen.status == status and seen.hip_acknowledged is not None

        return await self.until(f"the HIP's on-notify for {status}", lambda: self.consent(consent_id), acknowledged)

    async def expire(self, consent_id: str) -> ConsentView:
        """The consent manager says the artefact expired."""
        return await self.post(self.gateway_url, f"/consents/{consent_id}/expire", None, ConsentView)

    async def transfer(self, transaction_id: str) -> TransferView:
        """A transfer as the gateway saw it."""
        return await self.get(self.gateway_url, f"/transfers/{transaction_id}", TransferView)

    async def transfers(self) -> list[TransferView]:
        """Every transfer."""
        return await self.get(self.gateway_url, "/transfers", list[TransferView])

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

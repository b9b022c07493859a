"""The requester's control API: consent requests, requests for data, and the pages that came."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hip.entrypoints.sandbox.control_line import ControlLine
from hip.entrypoints.sandbox.views import ConsentCase, HiuTransferView, OpenedRecord, SealedTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class RequesterControl(ControlLine):
    """What the requester (HIU) does: ask for consents and for data, and open what came."""

    async def start_consent(self, patient: str, hi_types: Sequence[str], **wish: Any) -> ConsentCase:
        """Ask, wait for the gateway's number. ``wish``: ``hipId``, ``careContexts``, ``purpose``, ``dateRange``..."""
        asked = {"patient": patient, "hiTypes": list(hi_types), **wish}
        started = await self.post(self.hiu_url, "/consents", asked, ConsentCase)
        return await self._case(
            started.id, "the number of the consent request", lambda c: bool(c.consent_request_id or c.problem)
        )

    async def case(self, case_id: str) -> ConsentCase:
        """A consent request as the HIU knows it."""
        return await self.get(self.hiu_url, f"/consents/{case_id}", ConsentCase)

    async def cases(self) -> list[ConsentCase]:
        """Every consent request of the HIU."""
        return await self.get(self.hiu_url, "/consents", list[ConsentCase])

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
        asked = await self.post(self.hiu_url, f"/artefacts/{consent_id}/requests", wish, HiuTransferView)
        return await self._request(asked.request_id, "the answer to the data request", ("asked",))

    async def wait_for_pages(self, transfer: HiuTransferView) -> HiuTransferView:
        """Until every page came, or the request was refused."""
        return await self._request(transfer.request_id, "every page", ("asked", "accepted", "receiving"))

    async def hiu_transfers(self) -> list[HiuTransferView]:
        """Every request for data of the HIU."""
        return await self.get(self.hiu_url, "/transfers", list[HiuTransferView])

    async def opened_records(self, transaction_id: str) -> list[OpenedRecord]:
        """Open what came so far: 33 ms and more for each page."""
        return await self.post(self.hiu_url, f"/transfers/{transaction_id}/open", None, list[OpenedRecord])

    async def sealed_pages(self, transaction_id: str) -> SealedTransfer:
        """What came, still sealed, with what opens it: for another decryptor."""
        return await self.get(self.hiu_url, f"/transfers/{transaction_id}/sealed", SealedTransfer)

    async def hiu_faults(self, *faults: str) -> None:
        """Be difficult in these ways from now on (see ``FAULTS``); none: behave."""
        await self.send("POST", self.hiu_url, "/faults", {"faults": faults})

    async def _case(self, case_id: str, awaited: str, enough: Callable[[ConsentCase], bool]) -> ConsentCase:
        return await self.until(awaited, lambda: self.case(case_id), enough)

    async def _request(self, request_id: str, awaited: str, unfinished: Sequence[str]) -> HiuTransferView:
        return await self.until(
            awaited,
            lambda: self.get(self.hiu_url, f"/requests/{request_id}", HiuTransferView),
            lambda seen: seen.state not in unfinished,
        )

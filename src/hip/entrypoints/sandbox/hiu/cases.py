"""What an HIU remembers: its consent requests, its requests for data, and the sealed pages that came."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from abdm_ecdh.keygen import KeyMaterial

from hip.entrypoints.sandbox.hiu.opening import open_page
from hip.entrypoints.sandbox.hiu.pages import Page
from hip.entrypoints.sandbox.views import ConsentCase, HiuTransferView, OpenedRecord, Problem, SealedTransfer


@dataclass(slots=True)
class Transfer:
    """One request for data. Its key pair and nonce serve this request only; ``faults`` were drawn for it."""

    consent_id: str
    hip_id: str
    keys: KeyMaterial = field(repr=False)
    faults: frozenset[str] = frozenset()
    request_id: str = ""
    state: str = "asked"
    transaction_id: str | None = None
    problem: Problem | None = None
    pages: list[Page] = field(default_factory=list)
    pushes: int = 0
    reported: bool = False
    _opened: list[OpenedRecord] = field(default_factory=list)
    _opened_pages: int = 0
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    def keep(self, page: Page) -> bool:
        """Store a page. Whether the transfer is complete now: as many page numbers came as ``pageCount`` says."""
        self.pages.append(page)
        complete = len({kept.number for kept in self.pages}) >= page.count
        self.state = "received" if complete else "receiving"
        return complete

    def contexts(self) -> list[str]:
        """The care contexts received, each once."""
        return list(dict.fromkeys(reference for page in self.pages for reference in page.contexts))

    async def opened(self, faults: frozenset[str]) -> list[OpenedRecord]:
        """Open what came since the last time, in a thread; a page that came twice is marked."""
        async with self._opening:
            while self._opened_pages < len(self.pages):
                page = self.pages[self._opened_pages]
                earlier = {(record.care_context_reference, record.sha256) for record in self._opened}
                records = await asyncio.to_thread(
                    open_page, page, self.keys, consent_id=self.consent_id, faults=faults | self.faults
                )
                self._opened += [_marked(record, earlier) for record in records]
                self._opened_pages += 1
            return list(self._opened)

    def sealed(self) -> SealedTransfer:
        """For a decryptor other than ours."""
        pages = tuple(page.raw for page in self.pages)
        return SealedTransfer(private_key=self.keys.private_key, nonce=self.keys.nonce, pages=pages)

    def shown(self) -> HiuTransferView:
        """For the control API."""
        return HiuTransferView(
            request_id=self.request_id,
            consent_id=self.consent_id,
            state=self.state,
            transaction_id=self.transaction_id,
            pages=len(self.pages),
            page_count=self.pages[-1].count if self.pages else None,
            authorization_seen=any(page.authorization for page in self.pages),
            problem=self.problem,
            faults=tuple(sorted(self.faults)),
        )


def _marked(record: OpenedRecord, earlier: set[tuple[str, str]]) -> OpenedRecord:
    repeat = record.sha256 != "" and (record.care_context_reference, record.sha256) in earlier
    return msgspec.structs.replace(record, repeat=repeat)


@dataclass(slots=True)
class Case:
    """One consent request. Status: REQUESTED, FAILED, or what the gateway last said. ``faults`` go to its transfers."""

    id: str
    patient: str
    status: str = "REQUESTED"
    consent_request_id: str | None = None
    faults: frozenset[str] = frozenset()
    artefacts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    problem: Problem | None = None

    def shown(self) -> ConsentCase:
        """For the control API."""
        return ConsentCase(
            id=self.id,
            patient=self.patient,
            status=self.status,
            consent_request_id=self.consent_request_id,
            artefacts=tuple(self.artefacts),
            transfers=tuple(transfer.shown() for transfer in self.transfers),
            problem=self.problem,
        )


@dataclass(slots=True)
class CaseBook:
    """Cases by their own id, by the gateway's, and by artefact; transfers by transaction and by REQUEST-ID."""

    cases: dict[str, Case] = field(default_factory=dict)
    by_request: dict[str, Case] = field(default_factory=dict)
    fetches: dict[str, str] = field(default_factory=dict)
    asked: dict[str, Transfer] = field(default_factory=dict)
    transfers: dict[str, Transfer] = field(default_factory=dict)

    def of_consent_request(self, consent_request_id: str) -> Case | None:
        """The case the gateway knows by this id."""
        return next((c for c in self.cases.values() if c.consent_request_id == consent_request_id), None)

    def of_artefact(self, consent_id: str) -> Case | None:
        """The case this artefact belongs to."""
        return next((c for c in self.cases.values() if consent_id in c.artefacts), None)

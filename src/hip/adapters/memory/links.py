"""Link tokens, link requests and care contexts in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from hip.adapters.memory.sessions import Session, listed
from hip.adapters.memory.tables import MemoryTable
from hip.application.storage import Listing, TokenAnswer
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    VisitCode,
)
from hip.domain.links import CareContext, LinkRequest, LinkStatus, LinkToken

LinkTokenTable = MemoryTable[tuple[HipId, RequestId], TokenAnswer]
LinkRequestTable = MemoryTable[tuple[HipId, LinkReference], LinkRequest]
CareContextTable = MemoryTable[tuple[HipId, CareContextReference], CareContext]


class MemoryLinkTokens:
    def __init__(self, session: Session, rows: LinkTokenTable) -> None:
        self._session = session
        self._rows = rows

    async def put(self, token: LinkToken, *, request_id: RequestId, now: datetime) -> None:
        await self._session.step()
        known = self._rows.get((token.hip_id, request_id))
        if known is not None and known.token is None and known.error_code is None:
            return  # a replayed callback must not bring a dropped token back
        answer = TokenAnswer(
            hip_id=token.hip_id,
            request_id=request_id,
            abha_address=token.abha_address,
            token=token,
            error_code=None,
            created_at=known.created_at if known else now,
        )
        self._rows.put((token.hip_id, request_id), answer)

    async def put_refusal(
        self, hip_id: HipId, abha_address: AbhaAddress, code: str, *, request_id: RequestId, now: datetime
    ) -> None:
        await self._session.step()
        if (hip_id, request_id) in self._rows:
            return  # the first answer stays
        refusal = TokenAnswer(
            hip_id=hip_id,
            request_id=request_id,
            abha_address=abha_address,
            token=None,
            error_code=code,
            created_at=now,
        )
        self._rows.put((hip_id, request_id), refusal)

    async def current(self, hip_id: HipId, abha_address: AbhaAddress, *, now: datetime) -> LinkToken | None:
        await self._session.step()
        living = [
            row
            for row in reversed(self._rows)
            if (row.hip_id, row.abha_address) == (hip_id, abha_address) and row.token
        ]
        living.sort(key=lambda row: row.created_at, reverse=True)
        return next((row.token for row in living if row.token and row.token.expires_at > now), None)

    async def answer(self, hip_id: HipId, request_id: RequestId) -> TokenAnswer | None:
        await self._session.step()
        return self._rows.get((hip_id, request_id))

    async def drop(self, hip_id: HipId, abha_address: AbhaAddress) -> None:
        await self._session.step()
        for key, row in self._rows.items():
            if (row.hip_id, row.abha_address) == (hip_id, abha_address) and row.token is not None:
                self._rows.put(key, replace(row, token=None))

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> Sequence[RequestId]:
        await self._session.step()
        found = [
            (key, row) for key, row in self._rows.items() if (row.hip_id, row.abha_address) == (hip_id, abha_address)
        ]
        for key, row in found:
            self._rows.put(key, replace(row, token=None, abha_address=alias))
        return [row.request_id for _, row in found]


class MemoryLinkRequests:
    def __init__(self, session: Session, rows: LinkRequestTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, request: LinkRequest) -> None:
        await self._session.step()
        self._rows.put((request.hip_id, request.reference), request)

    async def lock_by_visit(self, hip_id: HipId, visit_code: VisitCode) -> LinkRequest | None:
        await self._session.step()
        found = [row for row in reversed(self._rows) if (row.hip_id, row.visit_code) == (hip_id, visit_code)]
        return max(found, key=lambda row: row.created_at, default=None)

    async def by_reference(self, hip_id: HipId, reference: LinkReference) -> LinkRequest | None:
        await self._session.step()
        return self._rows.get((hip_id, reference))

    async def by_request_id(self, hip_id: HipId, request_id: RequestId) -> Sequence[LinkRequest]:
        await self._session.step()
        found = [row for row in self._rows if (row.hip_id, row.request_id) == (hip_id, request_id)]
        return sorted(found, key=lambda row: row.created_at)

    async def of_address(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[LinkRequest]:
        await self._session.step()
        found = [row for row in self._rows if (row.hip_id, row.abha_address) == (hip_id, abha_address)]
        return sorted(found, key=lambda row: row.created_at)

    async def led_by(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[LinkRequest]:
        await self._session.step()
        found = [row for row in self._rows if (row.hip_id, row.led_by) == (hip_id, visit_code)]
        return sorted(found, key=lambda row: row.created_at)

    async def awaiting_token(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[LinkRequest]:
        await self._session.step()
        states = (LinkStatus.AWAITING_TOKEN, LinkStatus.UNANSWERED)
        found = [
            row
            for row in self._rows
            if (row.hip_id, row.abha_address) == (hip_id, abha_address) and row.status in states
        ]
        return sorted(found, key=lambda row: row.created_at)

    async def list(self, listing: Listing) -> Sequence[LinkRequest]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda r: r.hip_id, at=lambda r: r.created_at)


class MemoryCareContexts:
    def __init__(self, session: Session, rows: CareContextTable) -> None:
        self._session = session
        self._rows = rows

    async def save(self, context: CareContext) -> None:
        await self._session.step()
        self._rows.put((context.hip_id, context.reference), context)

    async def lock(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None:
        return await self.get(hip_id, reference)

    async def get(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None:
        await self._session.step()
        return self._rows.get((hip_id, reference))

    async def several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        await self._session.step()
        found = [self._rows.get((hip_id, reference)) for reference in dict.fromkeys(references)]
        return [context for context in found if context is not None]

    async def lock_several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        return await self.several(hip_id, sorted(references))

    async def save_all(self, contexts: Sequence[CareContext]) -> None:
        await self._session.step()
        for context in contexts:
            await self.save(context)

    async def add_missing(self, contexts: Sequence[CareContext]) -> int:
        await self._session.step()
        new = {(each.hip_id, each.reference): each for each in reversed(contexts)}
        missing = {key: each for key, each in new.items() if self._rows.get(key) is None}
        for key, each in missing.items():
            self._rows.put(key, each)
        return len(missing)

    async def unlinked(
        self, hip_id: HipId, patient_reference: PatientReference, *, per_hi_type: int
    ) -> Sequence[CareContext]:
        counts: dict[HiType, int] = {}
        chosen: list[CareContext] = []
        for row in await self.of_patient(hip_id, patient_reference):
            if row.linked:
                continue
            if any(counts.get(hi_type, 0) < per_hi_type for hi_type in row.hi_types):
                chosen.append(row)
            for hi_type in row.hi_types:
                counts[hi_type] = counts.get(hi_type, 0) + 1
        return chosen

    async def of_patient(self, hip_id: HipId, patient_reference: PatientReference) -> Sequence[CareContext]:
        await self._session.step()
        whose = (hip_id, patient_reference)
        found = [row for row in reversed(self._rows) if (row.hip_id, row.patient_reference) == whose]
        return sorted(found, key=lambda row: row.clinical_date, reverse=True)

    async def linked_to(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[CareContext]:
        await self._session.step()
        found = [row for row in reversed(self._rows) if (row.hip_id, row.linked_to) == (hip_id, abha_address)]
        return sorted(found, key=lambda row: row.clinical_date, reverse=True)

    async def list(self, listing: Listing) -> Sequence[CareContext]:
        await self._session.step()
        return listed(reversed(self._rows), listing, hip=lambda c: c.hip_id, at=lambda c: c.clinical_date)

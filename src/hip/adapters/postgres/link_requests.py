"""Link requests in Postgres: what became of linking a visit."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, select

from hip.adapters.postgres.statements import Statements, listed, upsert
from hip.adapters.postgres.tables.linking import initiated_link_request
from hip.application.storage import Listing
from hip.domain.identifiers import (
    AbhaAddress,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.links import LinkRequest, LinkStatus

_REQUESTS = initiated_link_request


def _request_row(request: LinkRequest) -> dict[str, Any]:
    return {
        "hip_id": request.hip_id,
        "link_reference_number": request.reference,
        "request_id": request.request_id,
        "txn_id": request.transaction_id,
        "status": request.status.value,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
        "visit_code": request.visit_code,
        "patient_reference": request.patient_reference,
        "abha_address": None if request.abha_address is None else str(request.abha_address),
        "code": request.code,
        "token_renewed": request.token_renewed,
        "led_by": request.led_by,
    }


def _request(row: RowMapping) -> LinkRequest:
    return LinkRequest(
        hip_id=HipId(row["hip_id"]),
        reference=LinkReference(row["link_reference_number"]),
        request_id=None if row["request_id"] is None else RequestId(row["request_id"]),
        transaction_id=None if row["txn_id"] is None else TransactionId(row["txn_id"]),
        status=LinkStatus(row["status"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        visit_code=VisitCode(row["visit_code"]),
        patient_reference=PatientReference(row["patient_reference"]),
        abha_address=None if row["abha_address"] is None else AbhaAddress(row["abha_address"]),
        code=row["code"],
        token_renewed=row["token_renewed"],
        led_by=None if row["led_by"] is None else VisitCode(row["led_by"]),
    )


class PostgresLinkRequests:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, request: LinkRequest) -> None:
        await self._statements.run(upsert(_REQUESTS, _request_row(request)))

    async def lock_by_visit(self, hip_id: HipId, visit_code: VisitCode) -> LinkRequest | None:
        row = await self._statements.first(
            select(_REQUESTS)
            .where(_REQUESTS.c.hip_id == hip_id, _REQUESTS.c.visit_code == visit_code)
            .order_by(_REQUESTS.c.created_at.desc(), _REQUESTS.c.sequence.desc())
            .limit(1)
            .with_for_update()
        )
        return None if row is None else _request(row)

    async def by_reference(self, hip_id: HipId, reference: LinkReference) -> LinkRequest | None:
        row = await self._statements.first(
            select(_REQUESTS).where(_REQUESTS.c.hip_id == hip_id, _REQUESTS.c.link_reference_number == reference)
        )
        return None if row is None else _request(row)

    async def by_request_id(self, hip_id: HipId, request_id: RequestId) -> Sequence[LinkRequest]:
        return await self._oldest_first(
            select(_REQUESTS).where(_REQUESTS.c.hip_id == hip_id, _REQUESTS.c.request_id == request_id)
        )

    async def of_address(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[LinkRequest]:
        return await self._oldest_first(
            select(_REQUESTS)
            .where(_REQUESTS.c.hip_id == hip_id, _REQUESTS.c.abha_address == str(abha_address))
            .with_for_update()
        )

    async def led_by(self, hip_id: HipId, visit_code: VisitCode) -> Sequence[LinkRequest]:
        return await self._oldest_first(
            select(_REQUESTS).where(_REQUESTS.c.hip_id == hip_id, _REQUESTS.c.led_by == visit_code).with_for_update()
        )

    async def awaiting_token(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[LinkRequest]:
        return await self._oldest_first(
            select(_REQUESTS)
            .where(_REQUESTS.c.hip_id == hip_id, _REQUESTS.c.abha_address == str(abha_address))
            .where(_REQUESTS.c.status.in_(("awaiting-token", "unanswered")))
            .with_for_update()
        )

    async def list(self, listing: Listing) -> Sequence[LinkRequest]:
        rows = await self._statements.all(listed(select(_REQUESTS), _REQUESTS, listing, at="created_at"))
        return [_request(row) for row in rows]

    async def _oldest_first(self, statement: Select[Any]) -> Sequence[LinkRequest]:
        rows = await self._statements.all(statement.order_by(_REQUESTS.c.created_at, _REQUESTS.c.sequence))
        return [_request(row) for row in rows]

"""Transfers and their pages in Postgres."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping, Select, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert

from hip.adapters.postgres.statements import Statements, listed
from hip.adapters.postgres.tables.release import data_flow_request, pages
from hip.application.ports import KeyVault
from hip.application.storage import Listing
from hip.domain.errors import NotFound
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, HipId, RequestId, TransactionId, VisitCode
from hip.domain.pages import Page, PageState
from hip.domain.transfers import HealthInformationRequest, Transfer, TransferOutcome, TransferState

_ENDED = (TransferState.DONE.value, TransferState.DEAD.value)

_SAVE_PAGE = (
    update(pages)
    .where(pages.c.hip_id == bindparam("of_hip"), pages.c.transaction_id == bindparam("of_transaction"))
    .where(pages.c.number == bindparam("of_number"))
    .values({name: bindparam(name) for name in ("state", "attempts", "reason", "finished_at")})
)


def _page_row(page: Page) -> dict[str, Any]:
    return {
        "hip_id": page.hip_id,
        "transaction_id": page.transaction_id,
        "number": page.number,
        "care_context_reference": page.care_context_reference,
        "visit_code": page.visit_code,
        "hi_type": None if page.hi_type is None else page.hi_type.value,
        "state": page.state.value,
        "attempts": page.attempts,
        "reason": page.reason,
        "finished_at": page.finished_at,
        "push": page.push,
    }


def _page(row: RowMapping) -> Page:
    return Page(
        hip_id=HipId(row["hip_id"]),
        transaction_id=TransactionId(row["transaction_id"]),
        number=row["number"],
        care_context_reference=CareContextReference(row["care_context_reference"]),
        visit_code=None if row["visit_code"] is None else VisitCode(row["visit_code"]),
        hi_type=None if row["hi_type"] is None else HiType(row["hi_type"]),
        state=PageState(row["state"]),
        attempts=row["attempts"],
        reason=row["reason"],
        finished_at=row["finished_at"],
        push=row["push"],
    )


class PostgresTransfers:
    """The request names where to push and with which key, so it rests sealed."""

    def __init__(self, statements: Statements, vault: KeyVault) -> None:
        self._statements = statements
        self._vault = vault

    async def add(self, transfer: Transfer) -> bool:
        statement = insert(data_flow_request).values(self._row(transfer)).on_conflict_do_nothing()
        return await self._statements.count(statement) == 1

    async def lock(self, hip_id: HipId, transaction_id: TransactionId) -> Transfer | None:
        return await self._one(_by_id(hip_id, transaction_id).with_for_update())

    async def get(self, hip_id: HipId, transaction_id: TransactionId) -> Transfer | None:
        return await self._one(_by_id(hip_id, transaction_id))

    async def save(self, transfer: Transfer) -> None:
        statement = (
            update(data_flow_request)
            .where(data_flow_request.c.hip_id == transfer.hip_id)
            .where(data_flow_request.c.transaction_id == transfer.transaction_id)
            .values(self._row(transfer))
        )
        if await self._statements.count(statement) == 0:
            raise NotFound("transfer", transfer.transaction_id)

    async def open_of_consent(self, hip_id: HipId, consent_id: ConsentId) -> Sequence[Transfer]:
        return await self._all(
            select(data_flow_request)
            .where(data_flow_request.c.hip_id == hip_id, data_flow_request.c.consent_id == consent_id)
            .where(data_flow_request.c.status.not_in(_ENDED))
            .order_by(data_flow_request.c.requested_at, data_flow_request.c.sequence)
        )

    async def earlier(self, transfer: Transfer, *, since: datetime) -> int:
        counted = (
            select(func.count())
            .select_from(data_flow_request)
            .where(data_flow_request.c.hip_id == transfer.hip_id)
            .where(data_flow_request.c.consent_id == transfer.consent_id)
            .where(data_flow_request.c.transaction_id != transfer.transaction_id)
            .where(data_flow_request.c.requested_at.between(since, transfer.requested_at))
        )
        return int((await self._statements.run(counted)).scalar_one())

    async def alerting(self, *, now: datetime, limit: int) -> Sequence[Transfer]:
        return await self._all(
            select(data_flow_request)
            .where(data_flow_request.c.alert_at.is_not(None), data_flow_request.c.alert_at <= now)
            .order_by(data_flow_request.c.alert_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )

    async def list(
        self, listing: Listing, *, state: TransferState | None = None, outcome: TransferOutcome | None = None
    ) -> Sequence[Transfer]:
        statement = select(data_flow_request)
        if state is not None:
            statement = statement.where(data_flow_request.c.status == state.value)
        if outcome is not None:
            statement = statement.where(data_flow_request.c.outcome == outcome.value)
        return await self._all(listed(statement, data_flow_request, listing, at="requested_at"))

    async def add_pages(self, new_pages: Sequence[Page]) -> None:
        if not new_pages:
            return
        statement = insert(pages).values([_page_row(page) for page in new_pages]).on_conflict_do_nothing()
        async with self._statements.savepoint():
            await self._statements.run(statement)

    async def lock_page(self, hip_id: HipId, transaction_id: TransactionId, number: int) -> Page | None:
        statement = _pages_of(hip_id, transaction_id).where(pages.c.number == number).with_for_update()
        row = await self._statements.first(statement)
        return None if row is None else _page(row)

    async def save_page(self, page: Page) -> None:
        statement = (
            update(pages)
            .where(pages.c.hip_id == page.hip_id, pages.c.transaction_id == page.transaction_id)
            .where(pages.c.number == page.number)
            .values(_page_row(page))
        )
        if await self._statements.count(statement) == 0:
            raise NotFound("page", f"{page.transaction_id}/{page.number}")

    async def lock_pages(self, hip_id: HipId, transaction_id: TransactionId, numbers: Sequence[int]) -> Sequence[Page]:
        statement = _pages_of(hip_id, transaction_id).where(pages.c.number.in_(numbers))
        return [_page(row) for row in await self._statements.all(statement.order_by(pages.c.number).with_for_update())]

    async def save_pages(self, hip_id: HipId, transaction_id: TransactionId, pages: Sequence[Page]) -> None:
        await self._statements.run_each(
            _SAVE_PAGE,
            [
                {
                    "of_hip": hip_id,
                    "of_transaction": transaction_id,
                    "of_number": page.number,
                    "state": page.state.value,
                    "attempts": page.attempts,
                    "reason": page.reason,
                    "finished_at": page.finished_at,
                }
                for page in pages
            ],
        )

    async def pending_pages(self, hip_id: HipId, transaction_id: TransactionId, *, limit: int) -> Sequence[Page]:
        statement = _pages_of(hip_id, transaction_id).where(pages.c.state == PageState.PENDING.value)
        rows = await self._statements.all(statement.order_by(pages.c.number).limit(limit))
        return [_page(row) for row in rows]

    async def close_pages(self, hip_id: HipId, transaction_id: TransactionId, reason: str, *, now: datetime) -> None:
        await self._statements.run(
            update(pages)
            .where(pages.c.hip_id == hip_id, pages.c.transaction_id == transaction_id)
            .where(pages.c.state == PageState.PENDING.value)
            .values(state=PageState.ERRORED.value, reason=reason, finished_at=now)
        )

    async def pages(self, hip_id: HipId, transaction_id: TransactionId) -> Sequence[Page]:
        rows = await self._statements.all(_pages_of(hip_id, transaction_id).order_by(pages.c.number))
        return [_page(row) for row in rows]

    async def _one(self, statement: Select[Any]) -> Transfer | None:
        row = await self._statements.first(statement)
        return None if row is None else self._transfer(row)

    async def _all(self, statement: Select[Any]) -> Sequence[Transfer]:
        return [self._transfer(row) for row in await self._statements.all(statement)]

    def _row(self, transfer: Transfer) -> dict[str, Any]:
        return {
            "hip_id": transfer.hip_id,
            "transaction_id": transfer.transaction_id,
            "health_information_request": self._vault.seal(
                msgspec.json.encode(transfer.request), context=_context(transfer.hip_id, transfer.transaction_id)
            ),
            "status": transfer.state.value,
            "consent_id": transfer.consent_id,
            "request_id": transfer.request_id,
            "requested_at": transfer.requested_at,
            "updated_at": transfer.updated_at,
            "deadline": transfer.deadline,
            "acknowledged_at": transfer.acknowledged_at,
            "page_count": transfer.page_count,
            "outcome": None if transfer.outcome is None else transfer.outcome.value,
            "refusal": transfer.refusal,
            "reason": transfer.reason,
            "attempts": transfer.attempts,
            "retries": transfer.retries,
            "done_at": transfer.done_at,
            "notified_at": transfer.notified_at,
            "retried_at": transfer.retried_at,
            "alerted": transfer.alerted,
            "alert_at": transfer.alert_at,
        }

    def _transfer(self, row: RowMapping) -> Transfer:
        content = self._vault.unseal(
            row["health_information_request"], context=_context(row["hip_id"], row["transaction_id"])
        )
        return Transfer(
            hip_id=HipId(row["hip_id"]),
            transaction_id=TransactionId(row["transaction_id"]),
            request=msgspec.json.decode(content, type=HealthInformationRequest),
            state=TransferState(row["status"]),
            consent_id=ConsentId(row["consent_id"]),
            request_id=RequestId(row["request_id"]),
            requested_at=row["requested_at"],
            updated_at=row["updated_at"],
            deadline=row["deadline"],
            acknowledged_at=row["acknowledged_at"],
            page_count=row["page_count"],
            outcome=None if row["outcome"] is None else TransferOutcome(row["outcome"]),
            refusal=row["refusal"],
            reason=row["reason"],
            attempts=row["attempts"],
            retries=row["retries"],
            done_at=row["done_at"],
            notified_at=row["notified_at"],
            retried_at=row["retried_at"],
            alerted=row["alerted"],
        )


def _by_id(hip_id: HipId, transaction_id: TransactionId) -> Select[Any]:
    return select(data_flow_request).where(
        data_flow_request.c.hip_id == hip_id, data_flow_request.c.transaction_id == transaction_id
    )


def _pages_of(hip_id: HipId, transaction_id: TransactionId) -> Select[Any]:
    return select(pages).where(pages.c.hip_id == hip_id, pages.c.transaction_id == transaction_id)


def _context(hip_id: str, transaction_id: str) -> str:
    return f"data_flow_request/{hip_id}/{transaction_id}"

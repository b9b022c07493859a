"""Link tokens, link requests and care contexts in Postgres."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Integer, RowMapping, Select, Text, bindparam, select, union, update
from sqlalchemy.dialects.postgresql import insert

from hip.adapters.postgres.statements import Statements, insert_missing, listed, rows_of, upsert, upsert_each
from hip.adapters.postgres.tables.linking import (
    care_context,
    generate_token_response,
    initiated_link_request,
    unlinked_of,
)
from hip.application.ports import KeyVault
from hip.application.storage import Listing, TokenAnswer
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    AbhaNumber,
    CareContextReference,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
    VisitCode,
)
from hip.domain.links import CareContext, LinkRequest, LinkStatus, LinkToken

_TOKENS = generate_token_response
_REQUESTS = initiated_link_request


def _token_context(hip_id: str, request_id: str) -> str:
    return f"generate_token_response/{hip_id}/{request_id}"


class PostgresLinkTokens:
    """A row with neither token nor error code is a token that was dropped."""

    def __init__(self, statements: Statements, vault: KeyVault) -> None:
        self._statements = statements
        self._vault = vault

    async def put(self, token: LinkToken, *, request_id: RequestId, now: datetime) -> None:
        sealed = self._vault.seal(token.value.encode(), context=_token_context(token.hip_id, request_id))
        statement = insert(_TOKENS).values(
            hip_id=token.hip_id,
            request_id=request_id,
            abha_address=str(token.abha_address),
            abha_number=None if token.abha_number is None else str(token.abha_number),
            link_token=sealed,
            expires_at=token.expires_at,
            error_code=None,
            created_at=now,
        )
        replaced = ("abha_address", "abha_number", "link_token", "expires_at", "error_code")
        await self._statements.run(
            statement.on_conflict_do_update(
                index_elements=[_TOKENS.c.hip_id, _TOKENS.c.request_id],
                set_={name: statement.excluded[name] for name in replaced},
                # A replayed callback must not bring a dropped token back.
                where=_TOKENS.c.link_token.is_not(None) | _TOKENS.c.error_code.is_not(None),
            )
        )

    async def put_refusal(
        self, hip_id: HipId, abha_address: AbhaAddress, code: str, *, request_id: RequestId, now: datetime
    ) -> None:
        refusal = insert(_TOKENS).values(
            hip_id=hip_id, request_id=request_id, abha_address=str(abha_address), error_code=code, created_at=now
        )
        await self._statements.run(refusal.on_conflict_do_nothing())

    async def current(self, hip_id: HipId, abha_address: AbhaAddress, *, now: datetime) -> LinkToken | None:
        row = await self._statements.first(
            select(_TOKENS)
            .where(_TOKENS.c.hip_id == hip_id, _TOKENS.c.abha_address == str(abha_address))
            .where(_TOKENS.c.link_token.is_not(None), _TOKENS.c.expires_at > now)
            .order_by(_TOKENS.c.created_at.desc(), _TOKENS.c.sequence.desc())
            .limit(1)
        )
        return None if row is None else self._token(row)

    async def answer(self, hip_id: HipId, request_id: RequestId) -> TokenAnswer | None:
        row = await self._statements.first(
            select(_TOKENS).where(_TOKENS.c.hip_id == hip_id, _TOKENS.c.request_id == request_id)
        )
        if row is None:
            return None
        return TokenAnswer(
            hip_id=HipId(row["hip_id"]),
            request_id=RequestId(row["request_id"]),
            abha_address=AbhaAddress(row["abha_address"]),
            token=None if row["link_token"] is None else self._token(row),
            error_code=row["error_code"],
            created_at=row["created_at"],
        )

    async def drop(self, hip_id: HipId, abha_address: AbhaAddress) -> None:
        await self._statements.run(
            update(_TOKENS)
            .where(_TOKENS.c.hip_id == hip_id, _TOKENS.c.abha_address == str(abha_address))
            .where(_TOKENS.c.link_token.is_not(None))
            .values(link_token=None)
        )

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> Sequence[RequestId]:
        rows = await self._statements.all(
            update(_TOKENS)
            .where(_TOKENS.c.hip_id == hip_id, _TOKENS.c.abha_address == str(abha_address))
            .values(abha_address=str(alias), abha_number=None, link_token=None)
            .returning(_TOKENS.c.request_id)
        )
        return [RequestId(row["request_id"]) for row in rows]

    def _token(self, row: RowMapping) -> LinkToken:
        value = self._vault.unseal(row["link_token"], context=_token_context(row["hip_id"], row["request_id"]))
        return LinkToken(
            hip_id=HipId(row["hip_id"]),
            abha_address=AbhaAddress(row["abha_address"]),
            abha_number=None if row["abha_number"] is None else AbhaNumber(row["abha_number"]),
            value=value.decode(),
            expires_at=row["expires_at"],
        )


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


def _context_row(context: CareContext) -> dict[str, Any]:
    return {
        "hip_id": context.hip_id,
        "care_context_number": context.reference,
        "link_reference_number": context.link_reference,
        "visit_code": context.visit_code,
        "display": context.display,
        "patient_reference": context.patient_reference,
        "clinical_date": context.clinical_date,
        "hi_types": [hi_type.value for hi_type in context.hi_types],
        "linked_to": None if context.linked_to is None else str(context.linked_to),
        "linked_at": context.linked_at,
    }


def _context(row: RowMapping) -> CareContext:
    return CareContext(
        hip_id=HipId(row["hip_id"]),
        reference=CareContextReference(row["care_context_number"]),
        link_reference=None if row["link_reference_number"] is None else LinkReference(row["link_reference_number"]),
        visit_code=VisitCode(row["visit_code"]),
        display=row["display"],
        patient_reference=PatientReference(row["patient_reference"]),
        clinical_date=row["clinical_date"],
        hi_types=tuple(HiType(name) for name in row["hi_types"]),
        linked_to=None if row["linked_to"] is None else AbhaAddress(row["linked_to"]),
        linked_at=row["linked_at"],
    )


def _newest_unlinked() -> Executable:
    newest = union(
        *(
            select(care_context)
            .where(care_context.c.hip_id == bindparam("whose_hip", type_=Text))
            .where(care_context.c.patient_reference == bindparam("whose", type_=Text))
            .where(unlinked_of(hi_type))
            .order_by(care_context.c.clinical_date.desc(), care_context.c.sequence.desc())
            .limit(bindparam("most", type_=Integer))
            for hi_type in HiType
        )
    ).subquery("newest")
    return select(newest).order_by(newest.c.clinical_date.desc(), newest.c.sequence.desc())


# Made once: putting it together takes longer than the server needs to answer it.
_UNLINKED = _newest_unlinked()


class PostgresCareContexts:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def save(self, context: CareContext) -> None:
        await self._statements.run(upsert(care_context, _context_row(context)))

    async def lock(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None:
        return await self._one(_by_reference(hip_id, reference).with_for_update())

    async def get(self, hip_id: HipId, reference: CareContextReference) -> CareContext | None:
        return await self._one(_by_reference(hip_id, reference))

    async def several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        named = care_context.c.care_context_number.in_(references)
        return await self._all(select(care_context).where(care_context.c.hip_id == hip_id, named))

    async def lock_several(self, hip_id: HipId, references: Sequence[CareContextReference]) -> Sequence[CareContext]:
        named = rows_of("named", reference=(Text(), list(dict.fromkeys(references))))
        return await self._all(
            select(care_context)
            .join(named, care_context.c.care_context_number == named.c.reference)
            .where(care_context.c.hip_id == hip_id)
            .order_by(care_context.c.care_context_number)
            .with_for_update(of=care_context)
        )

    async def save_all(self, contexts: Sequence[CareContext]) -> None:
        rows = [_context_row(context) for context in contexts]
        if rows:
            await self._statements.run_each(upsert_each(care_context, list(rows[0])), rows)

    async def add_missing(self, contexts: Sequence[CareContext]) -> int:
        added = [await self._statements.count(insert_missing(care_context).values(_context_row(c))) for c in contexts]
        return sum(added)

    async def unlinked(
        self, hip_id: HipId, patient_reference: PatientReference, *, per_hi_type: int
    ) -> Sequence[CareContext]:
        values = {"whose_hip": hip_id, "whose": patient_reference, "most": per_hi_type}
        return [_context(row) for row in await self._statements.all(_UNLINKED, values)]

    async def of_patient(self, hip_id: HipId, patient_reference: PatientReference) -> Sequence[CareContext]:
        return await self._all(
            select(care_context)
            .where(care_context.c.hip_id == hip_id, care_context.c.patient_reference == patient_reference)
            .order_by(care_context.c.clinical_date.desc(), care_context.c.sequence.desc())
        )

    async def linked_to(self, hip_id: HipId, abha_address: AbhaAddress) -> Sequence[CareContext]:
        return await self._all(
            select(care_context)
            .where(care_context.c.hip_id == hip_id, care_context.c.linked_to == str(abha_address))
            .order_by(care_context.c.clinical_date.desc(), care_context.c.sequence.desc())
            .with_for_update()
        )

    async def list(self, listing: Listing) -> Sequence[CareContext]:
        return await self._all(listed(select(care_context), care_context, listing, at="clinical_date"))

    async def _one(self, statement: Select[Any]) -> CareContext | None:
        row = await self._statements.first(statement)
        return None if row is None else _context(row)

    async def _all(self, statement: Select[Any]) -> Sequence[CareContext]:
        return [_context(row) for row in await self._statements.all(statement)]


def _by_reference(hip_id: HipId, reference: CareContextReference) -> Select[Any]:
    return select(care_context).where(care_context.c.hip_id == hip_id, care_context.c.care_context_number == reference)

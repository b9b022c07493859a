"""Link tokens in Postgres, sealed, and the gateway's refusals to give one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, select, update
from sqlalchemy.dialects.postgresql import insert

from hip.adapters.postgres.statements import Statements
from hip.adapters.postgres.tables.linking import generate_token_response
from hip.application.ports import KeyVault
from hip.application.storage import TokenAnswer
from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId, RequestId
from hip.domain.links import LinkToken

_TOKENS = generate_token_response


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

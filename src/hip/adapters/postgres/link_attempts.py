"""User-initiated linkings in Postgres. The OTP's hash rests sealed: without our keys it cannot even be guessed at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, func, select, update

from hip.adapters.postgres.statements import Statements, lock_number, upsert
from hip.adapters.postgres.tables.patient_side import link_attempts
from hip.application.ports import KeyVault
from hip.domain.accounts import ACCOUNT_CLOSED
from hip.domain.hi_types import HiType
from hip.domain.identifiers import (
    AbhaAddress,
    CareContextReference,
    HipId,
    LinkReference,
    PatientReference,
    RequestId,
    TransactionId,
)
from hip.domain.link_attempts import AttemptState, LinkAttempt, OfferedContext, Verdict
from hip.domain.otp import SALT, HashedOtp

_TABLE = link_attempts


class PostgresLinkAttempts:
    def __init__(self, statements: Statements, vault: KeyVault) -> None:
        self._statements = statements
        self._vault = vault

    async def save(self, attempt: LinkAttempt) -> None:
        await self._statements.run(upsert(_TABLE, self._row(attempt)))

    async def get(self, hip_id: HipId, reference: LinkReference) -> LinkAttempt | None:
        return await self._one(
            select(_TABLE).where(_TABLE.c.hip_id == hip_id, _TABLE.c.link_reference_number == reference)
        )

    async def lock(self, hip_id: HipId, reference: LinkReference) -> LinkAttempt | None:
        return await self._one(
            select(_TABLE)
            .where(_TABLE.c.hip_id == hip_id, _TABLE.c.link_reference_number == reference)
            .with_for_update()
        )

    async def lock_latest(self, hip_id: HipId, transaction_id: TransactionId) -> LinkAttempt | None:
        return await self._one(
            select(_TABLE)
            .where(_TABLE.c.hip_id == hip_id, _TABLE.c.transaction_id == transaction_id)
            .order_by(_TABLE.c.created_at.desc(), _TABLE.c.sequence.desc())
            .limit(1)
            .with_for_update()
        )

    async def otps_since(self, hip_id: HipId, number_key: str, since: datetime) -> int:
        # Attempts that are not there yet cannot be locked, so the number is.
        await self._statements.run(select(func.pg_advisory_xact_lock(lock_number("otp", hip_id, number_key))))
        counted = (
            select(func.count())
            .select_from(_TABLE)
            .where(_TABLE.c.hip_id == hip_id, _TABLE.c.number_key == number_key, _TABLE.c.created_at >= since)
        )
        return int((await self._statements.run(counted)).scalar_one())

    async def lapsed(self, *, before: datetime, limit: int) -> Sequence[LinkAttempt]:
        rows = await self._statements.all(
            select(_TABLE)
            .where(_TABLE.c.state.in_(("offered", "otp-sent")), _TABLE.c.expires_at < before)
            .order_by(_TABLE.c.expires_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [self._attempt(row) for row in rows]

    async def forget(self, hip_id: HipId, abha_address: AbhaAddress, *, alias: AbhaAddress) -> None:
        await self._statements.run(
            update(_TABLE)
            .where(_TABLE.c.hip_id == hip_id, _TABLE.c.abha_address == str(abha_address))
            .values(abha_address=str(alias), state=AttemptState.FAILED.value, code=ACCOUNT_CLOSED)
        )

    async def _one(self, statement: Select[Any]) -> LinkAttempt | None:
        row = await self._statements.first(statement)
        return None if row is None else self._attempt(row)

    def _row(self, attempt: LinkAttempt) -> dict[str, Any]:
        return {
            "hip_id": attempt.hip_id,
            "link_reference_number": attempt.reference,
            "transaction_id": attempt.transaction_id,
            "request_id": attempt.request_id,
            "abha_address": str(attempt.abha_address),
            "patient_reference": attempt.patient_reference,
            "chosen": offered_row(attempt.chosen),
            "number_key": attempt.number_key,
            "hint": attempt.hint,
            "sealed_otp_hash": self._vault.seal(
                attempt.otp.salt + attempt.otp.digest, context=_context(attempt.hip_id, attempt.reference)
            ),
            "state": attempt.state.value,
            "created_at": attempt.created_at,
            "updated_at": attempt.updated_at,
            "expires_at": attempt.expires_at,
            "verdicts": [[verdict.request_id, verdict.code] for verdict in attempt.verdicts],
            "code": attempt.code,
        }

    def _attempt(self, row: RowMapping) -> LinkAttempt:
        hashed = self._vault.unseal(
            row["sealed_otp_hash"], context=_context(row["hip_id"], row["link_reference_number"])
        )
        return LinkAttempt(
            hip_id=HipId(row["hip_id"]),
            reference=LinkReference(row["link_reference_number"]),
            transaction_id=TransactionId(row["transaction_id"]),
            request_id=RequestId(row["request_id"]),
            abha_address=AbhaAddress(row["abha_address"]),
            patient_reference=PatientReference(row["patient_reference"]),
            chosen=offered(row["chosen"]),
            number_key=row["number_key"],
            hint=row["hint"],
            otp=HashedOtp(salt=hashed[:SALT], digest=hashed[SALT:]),
            state=AttemptState(row["state"]),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            expires_at=row["expires_at"],
            verdicts=tuple(Verdict(request_id=RequestId(id_), code=code) for id_, code in row["verdicts"]),
            code=row["code"],
        )


def offered_row(contexts: tuple[OfferedContext, ...]) -> list[list[str]]:
    """As JSON holds them: pairs of reference and HI type."""
    return [[one.reference, one.hi_type.value] for one in contexts]


def offered(pairs: list[list[str]] | None) -> tuple[OfferedContext, ...]:
    """Back from JSON; none for a row that is older than the column."""
    return tuple(
        OfferedContext(reference=CareContextReference(reference), hi_type=HiType(hi_type))
        for reference, hi_type in pairs or ()
    )


def _context(hip_id: str, reference: str) -> str:
    return f"link_attempts/{hip_id}/{reference}"

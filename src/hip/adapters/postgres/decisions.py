"""The decision records in Postgres: rows are added and read; the server refuses anything else."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import RowMapping, func, insert, select

from hip.adapters.postgres.statements import Statements, listed
from hip.adapters.postgres.tables.release import release_decisions
from hip.application.storage import Listing
from hip.domain.decision_seals import NumberedDecision
from hip.domain.decisions import Decision, RecordDecision, RuleResult, Stage
from hip.domain.identifiers import ConsentId, HipId, TransactionId


def _row(decision: Decision) -> dict[str, Any]:
    return {
        "hip_id": decision.hip_id,
        "at": decision.at,
        "stage": decision.stage.value,
        "consent_id": decision.consent_id,
        "transaction_id": decision.transaction_id,
        "page": decision.page,
        "patient": decision.patient,
        "requester": decision.requester,
        "policy": decision.policy,
        "results": msgspec.to_builtins(decision.results),
        "records": msgspec.to_builtins(decision.records),
    }


def _decision(row: RowMapping) -> Decision:
    return Decision(
        hip_id=HipId(row["hip_id"]),
        at=row["at"],
        stage=Stage(row["stage"]),
        consent_id=ConsentId(row["consent_id"]),
        transaction_id=None if row["transaction_id"] is None else TransactionId(row["transaction_id"]),
        page=row["page"],
        patient=row["patient"],
        requester=row["requester"],
        policy=row["policy"],
        results=msgspec.convert(row["results"], tuple[RuleResult, ...]),
        records=msgspec.convert(row["records"], tuple[RecordDecision, ...]),
    )


class PostgresDecisions:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    async def append(self, decision: Decision) -> None:
        await self._statements.run(insert(release_decisions).values(_row(decision)))

    async def append_all(self, decisions: Sequence[Decision]) -> None:
        await self._statements.run_each(insert(release_decisions), [_row(decision) for decision in decisions])

    async def list(
        self,
        listing: Listing,
        *,
        transaction_id: TransactionId | None = None,
        consent_id: ConsentId | None = None,
        patient: str | None = None,
        requester: str | None = None,
    ) -> Sequence[Decision]:
        wanted = {
            "transaction_id": transaction_id,
            "consent_id": consent_id,
            "patient": patient,
            "requester": requester,
        }
        statement = select(release_decisions)
        for name, value in wanted.items():
            if value is not None:
                statement = statement.where(release_decisions.c[name] == value)
        rows = await self._statements.all(listed(statement, release_decisions, listing, at="at"))
        return [_decision(row) for row in rows]

    async def tally(self, hip_id: HipId, consent_id: ConsentId) -> int:
        counted = (
            select(func.count())
            .select_from(release_decisions)
            .where(release_decisions.c.hip_id == hip_id, release_decisions.c.consent_id == consent_id)
        )
        return int((await self._statements.run(counted)).scalar_one())

    async def numbered(self, hip_id: HipId, *, after: int, limit: int) -> Sequence[NumberedDecision]:
        rows = await self._statements.all(
            select(release_decisions)
            .where(release_decisions.c.hip_id == hip_id, release_decisions.c.sequence > after)
            .order_by(release_decisions.c.sequence)
            .limit(limit)
        )
        return [NumberedDecision(number=row["sequence"], decision=_decision(row)) for row in rows]

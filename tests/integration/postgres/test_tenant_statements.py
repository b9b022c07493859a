"""Every statement names the HIP it is about, except the few that must look at all: no query crosses tenants."""

import re

import pytest
from tests.builders.plans import statements_of
from tests.contract.units.operations import OPERATIONS

from hip.adapters.postgres.tables.columns import METADATA
from hip.adapters.postgres.units import PostgresDatabase
from hip.domain.errors import HipError

pytestmark = pytest.mark.anyio

ABOUT_EVERY_HIP = {
    "outbox.current",
    "outbox.done",
    "outbox.done_all",
    "outbox.held",
    "outbox.bury",
    "outbox.defer",
    "outbox.give_back",
    "outbox.renew",
    "outbox.waiting",
    "exchanges.lapsed",
    "exchanges.refused_lately",
    "callbacks.overdue",
    "link_attempts.lapsed",
    "consents.spent",
    "transfers.alerting",
    "waiting_entries.find",
    "waiting_entries.remove_older",
    "audit.chained",
}
"""What the relay, the sweeps and the verification of the audit ask, and an entry that is known by its secret alone."""


async def unbound(database: PostgresDatabase, name: str) -> list[str]:
    """Statements of an operation that read or change rows and name no HIP."""
    try:
        asked = await statements_of(database, OPERATIONS[name])
    except HipError:
        return []  # it did not get as far as to be wrong; other tests ask it properly
    tables = [name for name, table in METADATA.tables.items() if "hip_id" in table.c]
    reads = re.compile(rf"\b(?:FROM|UPDATE|JOIN)\s+({'|'.join(tables)})\b")
    bound = re.compile(r"hip_id\s*(?:=|IN)|\(hip_id,")
    return [statement for statement, _ in asked if reads.search(statement) and not bound.search(statement)]


async def test_no_statement_reads_or_changes_rows_without_naming_their_hip(database: PostgresDatabase) -> None:
    # Of lists an operator may have those of every HIP; that they keep to the one that is named, others prove.
    named = [name for name in OPERATIONS if not name.endswith(".list")]
    wrong = {name: found for name in named if (found := await unbound(database, name))}
    assert sorted(wrong) == sorted(ABOUT_EVERY_HIP)

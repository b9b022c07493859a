"""The trigger table as we use it, on PostgreSQL and on MySQL or MariaDB; and what an existing one needs for that.

Columns of ours stand beside AMRIT's: ``hip_due_at`` (UTC; its default is now), ``hip_attempts``, ``hip_reason``, and by
the hospital's clock, as AMRIT's own dates, ``hip_read_at`` and ``hip_done_at``. On MySQL, which has no partial index,
``hip_open`` is computed from the flag: 1 on open rows and NULL on others, so that the index leads to open rows only.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

from hip.adapters.amrit.names import AmritNames

DIALECTS = ("postgresql", "mysql")
ENTERED = "LEAST(COALESCE(visitdate, created_date, hip_due_at), hip_due_at)"
NOW = {"postgresql": "(now() AT TIME ZONE 'utc')", "mysql": "(utc_timestamp(6))"}


def _moment(dialect: str) -> TypeEngine[Any]:
    return mysql.DATETIME(fsp=6) if dialect == "mysql" else DateTime()


def trigger_table(names: AmritNames, dialect: str, metadata: MetaData | None = None) -> Table:
    """``dialect`` is postgresql or mysql; MariaDB speaks the second."""
    flag = names.trigger_flag
    flag_type: TypeEngine[Any] = mysql.BIT(1) if dialect == "mysql" else Boolean()
    ours: list[Any] = [
        Column("hip_due_at", _moment(dialect), nullable=False, server_default=text(NOW[dialect])),
        Column("hip_attempts", Integer, nullable=False, server_default="0"),
        Column("hip_reason", String(300)),
        Column("hip_read_at", _moment(dialect)),
        Column("hip_done_at", _moment(dialect)),
    ]
    if dialect == "mysql":
        open_now = f"CASE WHEN {flag} = 1 THEN NULL ELSE 1 END"
        ours += [
            Column("hip_open", mysql.TINYINT, Computed(open_now, persisted=False)),
            Index("ix_hip_open", "hip_open", "hip_due_at", "id"),
        ]
    else:
        quoted = postgresql.dialect().identifier_preparer.quote(flag)  # type: ignore[no-untyped-call]
        ours.append(Index("ix_hip_open", "hip_due_at", "id", postgresql_where=text(f"{quoted} IS NOT TRUE")))
    ours.append(Index("ix_hip_visit", "visitcode"))
    return Table(
        names.trigger_table,
        metadata or MetaData(),
        Column("id", BigInteger, primary_key=True, autoincrement=True),
        Column("benflowid", BigInteger),
        Column("beneficiaryregid", BigInteger),
        Column("beneficiary_id", BigInteger),
        Column("visit_reason", String(45)),
        Column("visit_category", String(45)),
        Column("visitid", BigInteger),
        Column("visitcode", BigInteger),
        Column("visitdate", DateTime),
        Column("created_date", DateTime),
        Column(flag, flag_type),
        *ours,
        schema=names.schema,
    )


def preparation(names: AmritNames, dialect: str) -> str:
    """What an existing AMRIT database needs: our columns and two indexes. Safe beside AMRIT's own writer.

    On MySQL the columns are invisible, so that an INSERT without column names still fits, and indexes are made while
    others write; on PostgreSQL CONCURRENTLY does the same, which no transaction may contain. AMRIT's own table has no
    index but its key's: each look for late results would read all of it.
    """
    speaking: Dialect = mysql.dialect() if dialect == "mysql" else postgresql.dialect()  # type: ignore[no-untyped-call]
    quote = speaking.identifier_preparer.quote
    table, flag, now = names.qualified(quote(names.trigger_table)), quote(names.trigger_flag), NOW[dialect]
    if dialect == "mysql":
        return (
            f"ALTER TABLE {table} ADD COLUMN hip_due_at DATETIME(6) NOT NULL DEFAULT {now} INVISIBLE,\n"
            "  ADD COLUMN hip_attempts INTEGER NOT NULL DEFAULT 0 INVISIBLE,\n"
            "  ADD COLUMN hip_reason VARCHAR(300) NULL INVISIBLE,\n"
            "  ADD COLUMN hip_read_at DATETIME(6) NULL INVISIBLE,\n"
            "  ADD COLUMN hip_done_at DATETIME(6) NULL INVISIBLE,\n"
            f"  ADD COLUMN hip_open TINYINT GENERATED ALWAYS AS (CASE WHEN {flag} = 1 THEN NULL ELSE 1 END) VIRTUAL "
            "INVISIBLE;\n"
            f"CREATE INDEX ix_hip_open ON {table} (hip_open, hip_due_at, id);\n"
            f"CREATE INDEX ix_hip_visit ON {table} (visitcode);\n"
            # Neither closed rows nor gaps are locked by it: the writer need not wait.
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;\n"
            f"UPDATE {table} SET hip_due_at = {ENTERED} WHERE hip_open = 1;\n"
        )
    return (
        f"ALTER TABLE {table} ADD COLUMN hip_due_at TIMESTAMP NOT NULL DEFAULT {now},\n"
        "  ADD COLUMN hip_attempts INTEGER NOT NULL DEFAULT 0,\n"
        "  ADD COLUMN hip_reason VARCHAR(300),\n"
        "  ADD COLUMN hip_read_at TIMESTAMP,\n  ADD COLUMN hip_done_at TIMESTAMP;\n"
        f"UPDATE {table} SET hip_due_at = {ENTERED} WHERE {flag} IS NOT TRUE;\n"
        f"CREATE INDEX CONCURRENTLY ix_hip_open ON {table} (hip_due_at, id) WHERE {flag} IS NOT TRUE;\n"
        f"CREATE INDEX CONCURRENTLY ix_hip_visit ON {table} (visitcode);\n"
    )

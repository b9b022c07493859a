"""The audit, to which rows are only ever added (the migration sees to it)."""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSONB

from hip.adapters.postgres.tables.columns import METADATA, moment, sequence, text

audit = Table(
    "audit",
    METADATA,
    text("hip_id"),
    sequence(),
    moment("at"),
    text("actor"),
    text("action"),
    text("subject"),
    Column("detail", JSONB, nullable=False),
    PrimaryKeyConstraint("hip_id", "sequence", name="pk_audit"),
    Index("ix_audit_at", "hip_id", "at"),
)

"""The audit, to which rows are only ever added (the migration sees to it), and the end of each HIP's chain."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSONB

from hip.adapters.postgres.tables.columns import METADATA, moment, text

audit = Table(
    "audit",
    METADATA,
    text("hip_id"),
    Column("sequence", BigInteger, nullable=False),
    moment("at"),
    text("actor"),
    text("action"),
    text("subject"),
    Column("detail", JSONB, nullable=False),
    text("previous"),
    text("digest"),
    PrimaryKeyConstraint("hip_id", "sequence", name="pk_audit"),
    Index("ix_audit_at", "hip_id", "at"),
    Index("ix_audit_action", "hip_id", "action", "sequence"),
)

audit_heads = Table(
    "audit_heads",
    METADATA,
    text("hip_id"),
    Column("sequence", BigInteger, nullable=False),
    text("previous"),
    text("digest"),
    PrimaryKeyConstraint("hip_id", name="pk_audit_heads"),
)

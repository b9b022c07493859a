"""What patients begin themselves, in their own apps."""

from sqlalchemy import Column, Date, Index, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSONB

from hip.adapters.postgres.tables.columns import METADATA, moment, sealed, sequence, text, whole

link_attempts = Table(
    "link_attempts",
    METADATA,
    text("hip_id"),
    text("link_reference_number"),
    text("transaction_id"),
    text("request_id"),
    text("abha_address"),
    text("patient_reference"),
    Column("chosen", JSONB, nullable=False),
    text("number_key"),
    text("hint"),
    sealed("sealed_otp_hash"),
    text("state"),
    moment("created_at"),
    moment("updated_at"),
    moment("expires_at"),
    Column("verdicts", JSONB, nullable=False),
    text("code", null=True),
    sequence(),
    PrimaryKeyConstraint("hip_id", "link_reference_number", name="pk_link_attempts"),
    Index("ix_link_attempts_transaction", "hip_id", "transaction_id", "created_at"),
    Index("ix_link_attempts_abha_address", "hip_id", "abha_address"),
    Index("ix_link_attempts_number", "hip_id", "number_key", "created_at"),
)

Index(
    "ix_link_attempts_waiting",
    link_attempts.c.expires_at,
    postgresql_where=link_attempts.c.state.in_(["offered", "otp-sent"]),
)

queue_tokens = Table(
    "queue_tokens",
    METADATA,
    text("hip_id"),
    text("counter"),
    Column("day", Date, nullable=False),
    whole("number"),
    text("abha_address"),
    sealed("sealed_profile", null=True),
    text("request_id"),
    moment("issued_at"),
    moment("expires_at"),
    sequence(),
    PrimaryKeyConstraint("hip_id", "counter", "day", "number", name="pk_queue_tokens"),
    Index("ix_queue_tokens_abha_address", "hip_id", "abha_address", "counter", "issued_at"),
    Index("ix_queue_tokens_issued_at", "hip_id", "issued_at"),
)

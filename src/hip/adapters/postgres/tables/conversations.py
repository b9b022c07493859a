"""What the gateway told us, what we told it, and the work that follows."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Identity,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from hip.adapters.postgres.tables.columns import METADATA, flag, moment, sealed, sequence, text, whole

callbacks = Table(
    "callbacks",
    METADATA,
    text("hip_id"),
    text("id"),
    text("path"),
    text("request_id"),
    moment("received_at"),
    text("body_hash"),
    sealed("sealed_body", null=True),
    Column("headers", JSONB, nullable=False),
    flag("verified"),
    text("state"),
    flag("late"),
    whole("runs"),
    moment("finished_at", null=True),
    text("error", null=True),
    text("consent_id", null=True),
    text("requester", null=True),
    sequence(),
    PrimaryKeyConstraint("hip_id", "id", name="pk_callbacks"),
    UniqueConstraint("hip_id", "path", "request_id", name="uq_callbacks_request_id"),
    Index("ix_callbacks_received_at", "hip_id", "received_at"),
)
Index(
    "ix_callbacks_consent_id",
    callbacks.c.hip_id,
    callbacks.c.consent_id,
    postgresql_where=callbacks.c.consent_id.is_not(None),
)
# Those that wait to be read: few, unless nobody reads.
Index(
    "ix_callbacks_unread",
    callbacks.c.hip_id,
    callbacks.c.received_at,
    callbacks.c.id,
    postgresql_where=callbacks.c.state == "received",
)

exchanges = Table(
    "exchanges",
    METADATA,
    text("hip_id"),
    text("id"),
    text("flow"),
    text("business_key"),
    text("outcome"),
    moment("opened_at"),
    moment("updated_at"),
    moment("answer_due", null=True),
    text("refusal", null=True),
    sequence(),
    PrimaryKeyConstraint("hip_id", "id", name="pk_exchanges"),
    Index("ix_exchanges_business_key", "hip_id", "flow", "business_key", "opened_at"),
    Index("ix_exchanges_opened_at", "hip_id", "opened_at"),
)
Index(
    "ix_exchanges_overdue",
    exchanges.c.answer_due,
    postgresql_where=exchanges.c.outcome.in_(["sent", "accepted"]) & exchanges.c.answer_due.is_not(None),
)

attempts = Table(
    "attempts",
    METADATA,
    text("hip_id"),
    text("request_id"),
    text("exchange_id"),
    whole("position"),
    moment("sent_at"),
    Column("status", SmallInteger),
    text("code", null=True),
    moment("replied_at", null=True),
    moment("answered_at", null=True),
    text("payload_hash", null=True),
    PrimaryKeyConstraint("hip_id", "request_id", name="pk_attempts"),
    ForeignKeyConstraint(
        ["hip_id", "exchange_id"], ["exchanges.hip_id", "exchanges.id"], name="fk_attempts_exchange", ondelete="CASCADE"
    ),
    Index("ix_attempts_exchange", "hip_id", "exchange_id"),
)

# Attempts that the gateway refused for our clock: none, as a rule.
Index(
    "ix_attempts_wrong_clock",
    attempts.c.sent_at,
    postgresql_where=attempts.c.code.in_(["ABDM-1016", "ABDM-2402", "no-session-clock"]),
)

outbox = Table(
    "outbox",
    METADATA,
    text("hip_id"),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    text("topic"),
    text("key"),
    Column("priority", SmallInteger, nullable=False),
    moment("run_at"),
    whole("attempt"),
    whole("failures", default="0"),
    moment("lease_until", null=True),
    text("state"),
    text("error", null=True),
    PrimaryKeyConstraint("hip_id", "id", name="pk_outbox"),
    UniqueConstraint("id", name="uq_outbox_id"),
    CheckConstraint("state IN ('ready', 'leased', 'done', 'dead', 'cancelled')", name="ck_outbox_state"),
)
# The operator's list; rows that are done are by far the most.
Index("ix_outbox_left", outbox.c.hip_id, outbox.c.run_at, postgresql_where=outbox.c.state != "done")
# The dead letter, beside any backlog.
Index("ix_outbox_dead", outbox.c.hip_id, outbox.c.run_at, postgresql_where=outbox.c.state == "dead")
# Whether work is there for a thing, or has to be hurried.
Index("ix_outbox_key", outbox.c.hip_id, outbox.c.topic, outbox.c.key, postgresql_where=outbox.c.state != "done")
Index(
    "ix_outbox_due",
    outbox.c.priority,
    outbox.c.run_at,
    outbox.c.id,
    postgresql_where=outbox.c.state.in_(["ready", "leased"]),
)

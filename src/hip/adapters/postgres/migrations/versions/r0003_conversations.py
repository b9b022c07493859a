"""Callbacks, exchanges, attempts and the outbox."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("body_hash", sa.Text, nullable=False),
        sa.Column("sealed_body", sa.LargeBinary, nullable=True),
        sa.Column("headers", postgresql.JSONB, nullable=False),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "id", name="pk_callbacks"),
        sa.UniqueConstraint("hip_id", "path", "request_id", name="uq_callbacks_request_id"),
    )
    op.create_index("ix_callbacks_received_at", "callbacks", ["hip_id", "received_at"])

    op.create_table(
        "exchanges",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("flow", sa.Text, nullable=False),
        sa.Column("business_key", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("answer_due", _TIME, nullable=True),
        sa.Column("refusal", sa.Text, nullable=True),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "id", name="pk_exchanges"),
    )
    op.create_index("ix_exchanges_business_key", "exchanges", ["hip_id", "flow", "business_key", "opened_at"])
    op.create_index("ix_exchanges_opened_at", "exchanges", ["hip_id", "opened_at"])
    op.create_index(
        "ix_exchanges_overdue",
        "exchanges",
        ["answer_due"],
        postgresql_where=sa.text("outcome IN ('sent', 'accepted') AND answer_due IS NOT NULL"),
    )

    op.create_table(
        "attempts",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("exchange_id", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("sent_at", _TIME, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=True),
        sa.Column("code", sa.Text, nullable=True),
        sa.Column("replied_at", _TIME, nullable=True),
        sa.Column("answered_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["hip_id", "exchange_id"],
            ["exchanges.hip_id", "exchanges.id"],
            name="fk_attempts_exchange",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hip_id", "request_id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_exchange", "attempts", ["hip_id", "exchange_id"])

    op.create_table(
        "outbox",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("priority", sa.SmallInteger, nullable=False),
        sa.Column("run_at", _TIME, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.CheckConstraint("state IN ('ready', 'leased', 'done', 'dead')", name="ck_outbox_state"),
        sa.PrimaryKeyConstraint("hip_id", "id", name="pk_outbox"),
        sa.UniqueConstraint("id", name="uq_outbox_id"),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["priority", "run_at", "id"],
        postgresql_where=sa.text("state IN ('ready', 'leased')"),
    )


def downgrade() -> None:
    op.drop_table("outbox")
    op.drop_table("attempts")
    op.drop_table("exchanges")
    op.drop_table("callbacks")

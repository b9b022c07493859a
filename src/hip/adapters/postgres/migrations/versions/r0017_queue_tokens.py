"""Places in the queues of counters, given to patients who share a profile."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"

_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "queue_tokens",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("counter", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("abha_address", sa.Text, nullable=False),
        sa.Column("sealed_profile", sa.LargeBinary, nullable=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("issued_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "counter", "day", "number", name="pk_queue_tokens"),
    )
    op.create_index("ix_queue_tokens_abha_address", "queue_tokens", ["hip_id", "abha_address", "counter", "issued_at"])
    op.create_index("ix_queue_tokens_issued_at", "queue_tokens", ["hip_id", "issued_at"])


def downgrade() -> None:
    op.drop_table("queue_tokens")

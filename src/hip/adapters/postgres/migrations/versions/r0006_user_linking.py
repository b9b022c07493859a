"""What a discovery offered, and the linkings that patients begin."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column("discovery_request", sa.Column("offered", postgresql.JSONB, nullable=True))
    op.create_table(
        "link_attempts",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("link_reference_number", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("abha_address", sa.Text, nullable=False),
        sa.Column("patient_reference", sa.Text, nullable=False),
        sa.Column("chosen", postgresql.JSONB, nullable=False),
        sa.Column("number_key", sa.Text, nullable=False),
        sa.Column("hint", sa.Text, nullable=False),
        sa.Column("sealed_otp_hash", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("verdicts", postgresql.JSONB, nullable=False),
        sa.Column("code", sa.Text, nullable=True),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "link_reference_number", name="pk_link_attempts"),
    )
    op.create_index("ix_link_attempts_number", "link_attempts", ["hip_id", "number_key", "created_at"])
    op.create_index("ix_link_attempts_transaction", "link_attempts", ["hip_id", "transaction_id", "created_at"])


def downgrade() -> None:
    op.drop_table("link_attempts")
    op.drop_column("discovery_request", "offered")

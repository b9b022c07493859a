"""Whose transfer and consent an entry that waits to be fetched belongs to; until now none ever waited."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("DELETE FROM health_information")
    op.add_column("health_information", sa.Column("transaction_id", sa.Text, nullable=False))
    op.add_column("health_information", sa.Column("consent_id", sa.Text, nullable=False))
    op.add_column("health_information", sa.Column("number", sa.Integer, nullable=False))
    op.create_index("uq_health_information_id", "health_information", ["information_id"], unique=True)
    op.create_index("ix_health_information_consent", "health_information", ["hip_id", "consent_id"])


def downgrade() -> None:
    op.drop_index("ix_health_information_consent", "health_information")
    op.drop_index("uq_health_information_id", "health_information")
    op.drop_column("health_information", "number")
    op.drop_column("health_information", "consent_id")
    op.drop_column("health_information", "transaction_id")

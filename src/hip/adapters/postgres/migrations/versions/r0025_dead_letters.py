"""Listing the dead letter beside any backlog."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_index("ix_outbox_dead", "outbox", ["hip_id", "run_at"], postgresql_where=sa.text("state = 'dead'"))


def downgrade() -> None:
    op.drop_index("ix_outbox_dead", "outbox")

"""Jobs as operators see them: the last error of an outbox row, and rows that were cancelled."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("outbox", sa.Column("error", sa.Text, nullable=True))
    op.drop_constraint("ck_outbox_state", "outbox")
    op.create_check_constraint("ck_outbox_state", "outbox", "state IN ('ready', 'leased', 'done', 'dead', 'cancelled')")
    op.create_index("ix_outbox_left", "outbox", ["hip_id", "run_at"], postgresql_where=sa.text("state <> 'done'"))


def downgrade() -> None:
    op.drop_index("ix_outbox_left", "outbox")
    op.execute("UPDATE outbox SET state = 'dead' WHERE state = 'cancelled'")
    op.drop_constraint("ck_outbox_state", "outbox")
    op.create_check_constraint("ck_outbox_state", "outbox", "state IN ('ready', 'leased', 'done', 'dead')")
    op.drop_column("outbox", "error")

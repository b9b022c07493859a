"""Finding callbacks that nobody has read yet."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.create_index(
        "ix_callbacks_unread",
        "callbacks",
        ["hip_id", "received_at", "id"],
        postgresql_where=sa.text("state = 'received'"),
    )


def downgrade() -> None:
    op.drop_index("ix_callbacks_unread", "callbacks")

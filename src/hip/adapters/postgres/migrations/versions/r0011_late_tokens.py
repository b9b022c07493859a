"""A link token that comes late wakes what had given up waiting for it: the index holds both states."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEX = "ix_initiated_link_request_awaiting_token"
_TABLE = "initiated_link_request"


def upgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    op.create_index(
        _INDEX,
        _TABLE,
        ["hip_id", "abha_address"],
        postgresql_where=sa.text("status IN ('awaiting-token', 'unanswered')"),
    )


def downgrade() -> None:
    op.drop_index(_INDEX, _TABLE)
    op.create_index(_INDEX, _TABLE, ["hip_id", "abha_address"], postgresql_where=sa.text("status = 'awaiting-token'"))

"""Finding calls that the gateway refused for our clock."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_index(
        "ix_attempts_wrong_clock",
        "attempts",
        ["sent_at"],
        postgresql_where=sa.text("code IN ('ABDM-1016', 'ABDM-2402', 'no-session-clock')"),
    )


def downgrade() -> None:
    op.drop_index("ix_attempts_wrong_clock", "attempts")

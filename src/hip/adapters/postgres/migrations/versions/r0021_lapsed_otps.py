"""Finding linkings whose OTP nobody typed in."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index(
        "ix_link_attempts_waiting",
        "link_attempts",
        ["expires_at"],
        postgresql_where=sa.text("state IN ('offered', 'otp-sent')"),
    )


def downgrade() -> None:
    op.drop_index("ix_link_attempts_waiting", "link_attempts")

"""Who asked, where a callback says so in its X-HIU-ID header (REL-17)."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("callbacks", sa.Column("requester", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("callbacks", "requester")

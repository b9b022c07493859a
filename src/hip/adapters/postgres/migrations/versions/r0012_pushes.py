"""Which push carries a page: until now each had one of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("pages", sa.Column("push", sa.Integer, nullable=True))
    op.execute("UPDATE pages SET push = number WHERE hi_type IS NOT NULL")


def downgrade() -> None:
    op.drop_column("pages", "push")

"""Which visits went out in one link call, and what a token request said."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("initiated_link_request", sa.Column("led_by", sa.Text, nullable=True))
    # What is under way was sent alone.
    op.execute("UPDATE initiated_link_request SET led_by = visit_code WHERE status IN ('requested', 'unanswered')")
    op.create_index(
        "ix_initiated_link_request_led_by",
        "initiated_link_request",
        ["hip_id", "led_by"],
        postgresql_where=sa.text("led_by IS NOT NULL"),
    )
    op.add_column("attempts", sa.Column("payload_hash", sa.Text, nullable=True))


def downgrade() -> None:
    op.drop_column("attempts", "payload_hash")
    op.drop_index("ix_initiated_link_request_led_by", "initiated_link_request")
    op.drop_column("initiated_link_request", "led_by")

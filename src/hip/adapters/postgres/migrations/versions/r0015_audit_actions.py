"""The last audit entry of an action is looked for every few seconds."""

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_index("ix_audit_action", "audit", ["hip_id", "action", "sequence"])


def downgrade() -> None:
    op.drop_index("ix_audit_action", "audit")

"""What became of the making of each document: one row for each HIP, visit and HI type."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0019"
down_revision = "0018"

_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "bundle_jobs",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("visit_code", sa.Text, nullable=False),
        sa.Column("hi_type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_run_at", _TIME, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "visit_code", "hi_type", name="pk_bundle_jobs"),
        sa.CheckConstraint(
            "state IN ('pending', 'building', 'valid', 'invalid', 'failed', 'dead')", name="ck_bundle_jobs_state"
        ),
    )
    op.create_index(
        "ix_bundle_jobs_left", "bundle_jobs", ["hip_id", "updated_at"], postgresql_where=sa.text("state <> 'valid'")
    )
    # What is under way or dead by the outbox, at the visit's version; then what is built, at the version it has.
    op.execute(
        """
        INSERT INTO bundle_jobs (hip_id, visit_code, hi_type, version, state, attempts, next_run_at, error, updated_at)
        SELECT DISTINCT ON (o.hip_id, v.visit_code, split_part(o.key, '|', 2))
               o.hip_id, v.visit_code, split_part(o.key, '|', 2), v.version,
               CASE o.state WHEN 'dead' THEN 'dead' ELSE 'pending' END, o.attempt,
               CASE o.state WHEN 'dead' THEN NULL ELSE o.run_at END, o.error, now()
        FROM outbox o JOIN visits v ON v.hip_id = o.hip_id AND v.visit_code = split_part(o.key, '|', 1)
        WHERE o.topic = 'bundle' AND o.state IN ('ready', 'leased', 'dead')
        ORDER BY o.hip_id, v.visit_code, split_part(o.key, '|', 2), o.state = 'dead', o.id DESC
        """
    )
    op.execute(
        """
        INSERT INTO bundle_jobs (hip_id, visit_code, hi_type, version, state, attempts, updated_at)
        SELECT DISTINCT ON (hip_id, visit_code, hi_type)
               hip_id, visit_code, hi_type, version, CASE WHEN valid THEN 'valid' ELSE 'invalid' END, 1, composed_at
        FROM bundles ORDER BY hip_id, visit_code, hi_type, version DESC
        ON CONFLICT DO NOTHING
        """
    )


def downgrade() -> None:
    op.drop_table("bundle_jobs")

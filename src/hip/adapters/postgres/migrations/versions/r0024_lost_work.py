"""Finding what waits for an outbox row that is gone, and a row by what it is about."""

import sqlalchemy as sa
from alembic import context, op

from hip.adapters.postgres.names import Names

revision = "0024"
down_revision = "0023"


def _names() -> Names:
    names = context.config.attributes["names"]
    assert isinstance(names, Names)
    return names


def upgrade() -> None:
    trigger = _names().trigger_table
    op.create_index("ix_outbox_key", "outbox", ["hip_id", "topic", "key"], postgresql_where=sa.text("state <> 'done'"))
    op.create_index(
        "ix_initiated_link_request_under_way",
        "initiated_link_request",
        ["hip_id", "link_reference_number"],
        postgresql_where=sa.text("status IN ('awaiting-token', 'ready', 'requested', 'sms-requested')"),
    )
    # The whole order of a document, so that any number of one moment are gone through page by page.
    _index_jobs("hip_id", "updated_at", "visit_code", "hi_type")
    op.create_index(
        f"ix_{trigger}_processed_at",
        trigger,
        ["processed_at"],
        postgresql_where=sa.text("processed_at IS NOT NULL"),
    )


def downgrade() -> None:
    trigger = _names().trigger_table
    op.drop_index(f"ix_{trigger}_processed_at", trigger)
    _index_jobs("hip_id", "updated_at")
    op.drop_index("ix_initiated_link_request_under_way", "initiated_link_request")
    op.drop_index("ix_outbox_key", "outbox")


def _index_jobs(*columns: str) -> None:
    op.drop_index("ix_bundle_jobs_left", "bundle_jobs")
    op.create_index("ix_bundle_jobs_left", "bundle_jobs", columns, postgresql_where=sa.text("state <> 'valid'"))

"""Decision records; what the consent sweep and the deadline alerts look for; which consent a callback carried."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

_REFUSE = """
CREATE FUNCTION refuse_decision_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'decision records are append-only' USING ERRCODE = 'insufficient_privilege';
END
$$
"""
_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "release_decisions",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("consent_id", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=True),
        sa.Column("page", sa.Integer, nullable=True),
        sa.Column("patient", sa.Text, nullable=True),
        sa.Column("requester", sa.Text, nullable=True),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("results", postgresql.JSONB, nullable=False),
        sa.Column("records", postgresql.JSONB, nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "sequence", name="pk_release_decisions"),
    )
    op.create_index("ix_release_decisions_at", "release_decisions", ["hip_id", "at"])
    op.create_index("ix_release_decisions_consent", "release_decisions", ["hip_id", "consent_id", "at"])
    op.create_index("ix_release_decisions_transaction", "release_decisions", ["hip_id", "transaction_id", "at"])
    op.create_index("ix_release_decisions_patient", "release_decisions", ["hip_id", "patient", "at"])
    op.create_index("ix_release_decisions_requester", "release_decisions", ["hip_id", "requester", "at"])
    op.execute(_REFUSE)
    op.execute(
        """
        CREATE TRIGGER decisions_are_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON release_decisions
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_decision_change()
        """
    )

    op.add_column("callbacks", sa.Column("consent_id", sa.Text, nullable=True))
    op.create_index(
        "ix_callbacks_consent_id",
        "callbacks",
        ["hip_id", "consent_id"],
        postgresql_where=sa.text("consent_id IS NOT NULL"),
    )

    # Consents of before have no terms hash: REL-19 refuses them until their callback is replayed.
    op.add_column("consents", sa.Column("terms_hash", sa.Text, nullable=True))
    op.add_column("consents", sa.Column("data_erase_at", _TIME, nullable=True))
    op.create_index(
        "ix_consents_data_erase_at",
        "consents",
        ["data_erase_at"],
        postgresql_where=sa.text("data_erase_at IS NOT NULL"),
    )

    op.add_column("data_flow_request", sa.Column("retried_at", _TIME, nullable=True))
    op.add_column("data_flow_request", sa.Column("alerted", sa.Integer, nullable=False, server_default="0"))
    op.alter_column("data_flow_request", "alerted", server_default=None)
    op.add_column("data_flow_request", sa.Column("alert_at", _TIME, nullable=True))
    op.create_index("ix_data_flow_request_consent", "data_flow_request", ["hip_id", "consent_id", "requested_at"])
    op.create_index(
        "ix_data_flow_request_alert_at",
        "data_flow_request",
        ["alert_at"],
        postgresql_where=sa.text("alert_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_data_flow_request_alert_at", "data_flow_request")
    op.drop_index("ix_data_flow_request_consent", "data_flow_request")
    for name in ("alert_at", "alerted", "retried_at"):
        op.drop_column("data_flow_request", name)
    op.drop_index("ix_consents_data_erase_at", "consents")
    op.drop_column("consents", "data_erase_at")
    op.drop_column("consents", "terms_hash")
    op.drop_index("ix_callbacks_consent_id", "callbacks")
    op.drop_column("callbacks", "consent_id")
    op.drop_table("release_decisions")
    op.execute("DROP FUNCTION refuse_decision_change()")

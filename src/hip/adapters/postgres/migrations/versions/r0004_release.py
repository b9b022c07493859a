"""Consents, transfers and pages."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "consents",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("consent_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("sealed_artefact", sa.LargeBinary, nullable=True),
        sa.Column("artefact_hash", sa.Text, nullable=True),
        sa.Column("signature_state", sa.Text, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("acknowledged_at", _TIME, nullable=True),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "consent_id", name="pk_consents"),
    )
    op.create_index("ix_consents_received_at", "consents", ["hip_id", "received_at"])

    op.create_table(
        "data_flow_request",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("health_information_request", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("consent_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("requested_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("deadline", _TIME, nullable=False),
        sa.Column("acknowledged_at", _TIME, nullable=True),
        sa.Column("page_count", sa.Integer, nullable=True),
        sa.Column("outcome", sa.Text, nullable=True),
        sa.Column("refusal", sa.Text, nullable=True),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("retries", sa.Integer, nullable=False),
        sa.Column("done_at", _TIME, nullable=True),
        sa.Column("notified_at", _TIME, nullable=True),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "transaction_id", name="pk_data_flow_request"),
    )
    op.create_index(
        "ix_data_flow_request_open",
        "data_flow_request",
        ["hip_id", "consent_id"],
        postgresql_where=sa.text("status NOT IN ('done', 'dead')"),
    )
    op.create_index("ix_data_flow_request_requested_at", "data_flow_request", ["hip_id", "requested_at"])

    op.create_table(
        "pages",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("care_context_reference", sa.Text, nullable=False),
        sa.Column("visit_code", sa.Text, nullable=True),
        sa.Column("hi_type", sa.Text, nullable=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["hip_id", "transaction_id"],
            ["data_flow_request.hip_id", "data_flow_request.transaction_id"],
            name="fk_pages_transfer",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("hip_id", "transaction_id", "number", name="pk_pages"),
    )
    op.create_index(
        "ix_pages_pending",
        "pages",
        ["hip_id", "transaction_id", "number"],
        postgresql_where=sa.text("state = 'pending'"),
    )

    op.create_table(
        "health_information",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("information_id", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "information_id", name="pk_health_information"),
    )
    op.create_index("ix_health_information_created_at", "health_information", ["created_at"])


def downgrade() -> None:
    op.drop_table("health_information")
    op.drop_table("pages")
    op.drop_table("data_flow_request")
    op.drop_table("consents")

"""Care contexts, link requests, link tokens and discoveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_TIME = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "care_context",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("care_context_number", sa.Text, nullable=False),
        sa.Column("link_reference_number", sa.Text, nullable=True),
        sa.Column("visit_code", sa.Text, nullable=False),
        sa.Column("display", sa.Text, nullable=False),
        sa.Column("facility_id", sa.Text, sa.Computed("hip_id", persisted=True), nullable=True),
        sa.Column("patient_reference", sa.Text, nullable=False),
        sa.Column("clinical_date", _TIME, nullable=False),
        sa.Column("hi_types", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("linked_to", sa.Text, nullable=True),
        sa.Column("linked_at", _TIME, nullable=True),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "care_context_number", name="pk_care_context"),
    )
    op.create_index("ix_care_context_clinical_date", "care_context", ["hip_id", "clinical_date"])
    op.create_index("ix_care_context_patient", "care_context", ["hip_id", "patient_reference", "clinical_date"])
    op.create_index(
        "ix_care_context_unlinked",
        "care_context",
        ["hip_id", "patient_reference", "clinical_date"],
        postgresql_where=sa.text("linked_to IS NULL"),
    )

    op.create_table(
        "initiated_link_request",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("link_reference_number", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=True),
        sa.Column("txn_id", sa.Text, nullable=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("visit_code", sa.Text, nullable=False),
        sa.Column("patient_reference", sa.Text, nullable=False),
        sa.Column("abha_address", sa.Text, nullable=True),
        sa.Column("code", sa.Text, nullable=True),
        sa.Column("token_renewed", sa.Boolean, nullable=False),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "link_reference_number", name="pk_initiated_link_request"),
    )
    op.create_index(
        "ix_initiated_link_request_awaiting_token",
        "initiated_link_request",
        ["hip_id", "abha_address"],
        postgresql_where=sa.text("status = 'awaiting-token'"),
    )
    op.create_index("ix_initiated_link_request_created_at", "initiated_link_request", ["hip_id", "created_at"])
    op.create_index(
        "ix_initiated_link_request_request_id",
        "initiated_link_request",
        ["hip_id", "request_id"],
        postgresql_where=sa.text("request_id IS NOT NULL"),
    )
    op.create_index("ix_initiated_link_request_visit", "initiated_link_request", ["hip_id", "visit_code", "created_at"])

    op.create_table(
        "generate_token_response",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("abha_address", sa.Text, nullable=False),
        sa.Column("abha_number", sa.Text, nullable=True),
        sa.Column("link_token", sa.LargeBinary, nullable=True),
        sa.Column("expires_at", _TIME, nullable=True),
        sa.Column("error_code", sa.Text, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "request_id", name="pk_generate_token_response"),
    )
    op.create_index(
        "ix_generate_token_response_abha_address",
        "generate_token_response",
        ["hip_id", "abha_address", "created_at"],
        postgresql_where=sa.text("link_token IS NOT NULL"),
    )

    op.create_table(
        "discovery_request",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text, nullable=False),
        sa.Column("consent_manager_user_id", sa.Text, nullable=False),
        sa.Column("patient_reference_number", sa.Text, nullable=True),
        sa.Column("timestamp", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "transaction_id", name="pk_discovery_request"),
    )


def downgrade() -> None:
    op.drop_table("discovery_request")
    op.drop_table("generate_token_response")
    op.drop_table("initiated_link_request")
    op.drop_table("care_context")

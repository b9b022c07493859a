"""ABHA accounts that patients close, and the indexes by which what names one is found."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("patients", sa.Column("closed_account", sa.Text, nullable=True))
    op.create_index(
        "ix_patients_closed_account",
        "patients",
        ["hip_id", "closed_account"],
        postgresql_where=sa.text("closed_account IS NOT NULL"),
    )
    op.add_column("consents", sa.Column("patient_key", sa.Text, nullable=True))
    op.create_index(
        "ix_consents_patient",
        "consents",
        ["hip_id", "patient_key"],
        postgresql_where=sa.text("sealed_artefact IS NOT NULL"),
    )
    op.create_index(
        "ix_care_context_linked_to",
        "care_context",
        ["hip_id", "linked_to"],
        postgresql_where=sa.text("linked_to IS NOT NULL"),
    )
    op.create_index(
        "ix_initiated_link_request_abha_address",
        "initiated_link_request",
        ["hip_id", "abha_address"],
        postgresql_where=sa.text("abha_address IS NOT NULL"),
    )
    op.create_index("ix_link_attempts_abha_address", "link_attempts", ["hip_id", "abha_address"])
    op.create_index(
        "ix_discovery_request_asked", "discovery_request", ["hip_id", "consent_manager_user_id", "timestamp"]
    )


def downgrade() -> None:
    op.drop_index("ix_discovery_request_asked", "discovery_request")
    op.drop_index("ix_link_attempts_abha_address", "link_attempts")
    op.drop_index("ix_initiated_link_request_abha_address", "initiated_link_request")
    op.drop_index("ix_care_context_linked_to", "care_context")
    op.drop_index("ix_consents_patient", "consents")
    op.drop_column("consents", "patient_key")
    op.drop_index("ix_patients_closed_account", "patients")
    op.drop_column("patients", "closed_account")

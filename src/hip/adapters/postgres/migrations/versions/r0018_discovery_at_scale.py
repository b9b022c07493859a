"""The newest unlinked visits of each HI type, and who of those that share a mobile is meant, from their own indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_HI_TYPES = (
    "OPConsultation",
    "Prescription",
    "DischargeSummary",
    "DiagnosticReport",
    "ImmunizationRecord",
    "HealthDocumentRecord",
    "WellnessRecord",
    "Invoice",
)


def upgrade() -> None:
    op.drop_index("ix_care_context_unlinked", "care_context")
    for hi_type in _HI_TYPES:
        op.create_index(
            f"ix_care_context_unlinked_{hi_type.lower()}",
            "care_context",
            ["hip_id", "patient_reference", "clinical_date", "sequence"],
            postgresql_where=sa.text(f"linked_to IS NULL AND hi_types @> '{{{hi_type}}}'::text[]"),
        )
    _index_phones("hip_id", "phone", "gender", "birth_year")


def downgrade() -> None:
    _index_phones("hip_id", "phone")
    for hi_type in _HI_TYPES:
        op.drop_index(f"ix_care_context_unlinked_{hi_type.lower()}", "care_context")
    op.create_index(
        "ix_care_context_unlinked",
        "care_context",
        ["hip_id", "patient_reference", "clinical_date"],
        postgresql_where=sa.text("linked_to IS NULL"),
    )


def _index_phones(*columns: str) -> None:
    op.drop_index("ix_patients_phone", "patients")
    op.create_index("ix_patients_phone", "patients", list(columns), postgresql_where=sa.text("phone IS NOT NULL"))

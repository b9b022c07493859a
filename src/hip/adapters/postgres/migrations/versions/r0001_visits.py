"""Patients, visits, their triggers and bundles."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects import postgresql

from hip.adapters.postgres.names import Names

revision = "0001"
down_revision = None

_TIME = postgresql.TIMESTAMP(timezone=True)


def _names() -> Names:
    names = context.config.attributes["names"]
    assert isinstance(names, Names)
    return names


def upgrade() -> None:
    names = _names()
    op.create_table(
        "patients",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("gender", sa.Text, nullable=False),
        sa.Column("birth_year", sa.SmallInteger, nullable=False),
        sa.Column("birth_date", sa.Date, nullable=True),
        sa.Column("phone", sa.Text, nullable=True),
        sa.Column("email", sa.Text, nullable=True),
        sa.Column("abha_address", sa.Text, nullable=True),
        sa.Column("abha_number", sa.Text, nullable=True),
        sa.Column("address", postgresql.JSONB, nullable=True),
        sa.PrimaryKeyConstraint("hip_id", "reference", name="pk_patients"),
    )
    op.create_index(
        "ix_patients_abha_address",
        "patients",
        ["hip_id", "abha_address"],
        postgresql_where=sa.text("abha_address IS NOT NULL"),
    )
    op.create_index(
        "ix_patients_abha_number",
        "patients",
        ["hip_id", "abha_number"],
        postgresql_where=sa.text("abha_number IS NOT NULL"),
    )
    op.create_index("ix_patients_phone", "patients", ["hip_id", "phone"], postgresql_where=sa.text("phone IS NOT NULL"))

    op.create_table(
        "visits",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("visit_code", sa.Text, nullable=False),
        sa.Column("patient_reference", sa.Text, nullable=False),
        sa.Column("sealed_source", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("received_at", _TIME, nullable=False),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "visit_code", name="pk_visits"),
    )
    op.create_index("ix_visits_received_at", "visits", ["hip_id", "received_at"])

    op.create_table(
        "bundles",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("visit_code", sa.Text, nullable=False),
        sa.Column("hi_type", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("valid", sa.Boolean, nullable=False),
        sa.Column("clinical_date", _TIME, nullable=False),
        sa.Column("composed_at", _TIME, nullable=False),
        sa.Column("sequence", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.PrimaryKeyConstraint("hip_id", "visit_code", "hi_type", "version", name="pk_bundles"),
    )
    op.create_index("ix_bundles_composed_at", "bundles", ["hip_id", "composed_at"])

    op.create_table(
        names.trigger_table,
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("visit_code", sa.Text, nullable=False),
        sa.Column(names.trigger_flag, sa.Boolean, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("processed_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("hip_id", "visit_code", name=f"pk_{names.trigger_table}"),
    )
    op.create_index(
        f"ix_{names.trigger_table}_waiting",
        names.trigger_table,
        ["hip_id", "created_at"],
        postgresql_where=sa.column(names.trigger_flag).is_(False),
    )


def downgrade() -> None:
    op.drop_table(_names().trigger_table)
    op.drop_table("bundles")
    op.drop_table("visits")
    op.drop_table("patients")

"""Patients, visits, what is known of their bundles, and the table that triggers their making."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)
from sqlalchemy.dialects.postgresql import JSONB

from hip.adapters.postgres.names import Names
from hip.adapters.postgres.tables.columns import METADATA, flag, moment, sealed, sequence, text, whole

patients = Table(
    "patients",
    METADATA,
    text("hip_id"),
    text("reference"),
    text("name"),
    text("gender"),
    Column("birth_year", SmallInteger, nullable=False),
    Column("birth_date", Date),
    text("phone", null=True),
    text("email", null=True),
    text("abha_address", null=True),
    text("abha_number", null=True),
    Column("address", JSONB(none_as_null=True)),
    text("closed_account", null=True),
    PrimaryKeyConstraint("hip_id", "reference", name="pk_patients"),
)
# A mobile may be shared by hundreds, of whom only those that fit the demographics are looked at.
for _identifier, _narrowed in {
    "abha_address": (),
    "abha_number": (),
    "phone": (patients.c.gender, patients.c.birth_year),
    "closed_account": (),
}.items():
    Index(
        f"ix_patients_{_identifier}",
        patients.c.hip_id,
        patients.c[_identifier],
        *_narrowed,
        postgresql_where=patients.c[_identifier].is_not(None),
    )

visits = Table(
    "visits",
    METADATA,
    text("hip_id"),
    text("visit_code"),
    text("patient_reference"),
    sealed("sealed_source"),
    text("digest"),
    whole("version"),
    moment("received_at"),
    sequence(),
    PrimaryKeyConstraint("hip_id", "visit_code", name="pk_visits"),
    Index("ix_visits_received_at", "hip_id", "received_at"),
)

bundles = Table(
    "bundles",
    METADATA,
    text("hip_id"),
    text("visit_code"),
    text("hi_type"),
    whole("version"),
    text("sha256"),
    Column("size", BigInteger, nullable=False),
    flag("valid"),
    moment("clinical_date"),
    moment("composed_at"),
    sequence(),
    PrimaryKeyConstraint("hip_id", "visit_code", "hi_type", "version", name="pk_bundles"),
    Index("ix_bundles_composed_at", "hip_id", "composed_at"),
)


# What became of the making of each document; the outbox wakes workers, and this is what an operator looks at.
bundle_jobs = Table(
    "bundle_jobs",
    METADATA,
    text("hip_id"),
    text("visit_code"),
    text("hi_type"),
    whole("version"),
    text("state"),
    whole("attempts"),
    moment("next_run_at", null=True),
    text("error", null=True),
    moment("updated_at"),
    sequence(),
    PrimaryKeyConstraint("hip_id", "visit_code", "hi_type", name="pk_bundle_jobs"),
    CheckConstraint(
        "state IN ('pending', 'building', 'valid', 'invalid', 'failed', 'dead')", name="ck_bundle_jobs_state"
    ),
)
# Jobs that are built are by far the most, and nobody lists them.
Index(
    "ix_bundle_jobs_left",
    bundle_jobs.c.hip_id,
    bundle_jobs.c.updated_at,
    bundle_jobs.c.visit_code,
    bundle_jobs.c.hi_type,
    postgresql_where=bundle_jobs.c.state != "valid",
)


def trigger_table(names: Names) -> Table:
    """The trigger table, in a MetaData of its own because its names differ between databases."""
    table = Table(
        names.trigger_table,
        MetaData(),
        text("hip_id"),
        text("visit_code"),
        flag(names.trigger_flag, key="processed"),
        moment("created_at"),
        moment("processed_at", null=True),
        PrimaryKeyConstraint("hip_id", "visit_code", name=f"pk_{names.trigger_table}"),
    )
    Index(
        f"ix_{names.trigger_table}_waiting",
        table.c.hip_id,
        table.c.created_at,
        postgresql_where=table.c.processed.is_(False),
    )
    Index(
        f"ix_{names.trigger_table}_processed_at",
        table.c.processed_at,
        postgresql_where=table.c.processed_at.is_not(None),
    )
    return table

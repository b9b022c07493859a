"""Consents, the transfers they allow, their pages, and what the gate decided of them."""

from sqlalchemy import Column, ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table
from sqlalchemy.dialects.postgresql import JSONB

from hip.adapters.postgres.tables.columns import METADATA, moment, sealed, sequence, text, whole

consents = Table(
    "consents",
    METADATA,
    text("hip_id"),
    text("consent_id"),
    text("status"),
    sealed("sealed_artefact", null=True),
    text("artefact_hash", null=True),
    text("signature_state"),
    moment("received_at"),
    moment("updated_at"),
    moment("acknowledged_at", null=True),
    text("terms_hash", null=True),
    moment("data_erase_at", null=True),
    text("patient_key", null=True),
    sequence(),
    PrimaryKeyConstraint("hip_id", "consent_id", name="pk_consents"),
    Index("ix_consents_received_at", "hip_id", "received_at"),
)
Index(
    "ix_consents_patient",
    consents.c.hip_id,
    consents.c.patient_key,
    postgresql_where=consents.c.sealed_artefact.is_not(None),
)
# The expiry sweep goes through every HIP's; the column is empty once the artefact is gone.
Index("ix_consents_data_erase_at", consents.c.data_erase_at, postgresql_where=consents.c.data_erase_at.is_not(None))

data_flow_request = Table(
    "data_flow_request",
    METADATA,
    text("hip_id"),
    text("transaction_id"),
    sealed("health_information_request"),
    text("status"),
    text("consent_id"),
    text("request_id"),
    moment("requested_at"),
    moment("updated_at"),
    moment("deadline"),
    moment("acknowledged_at", null=True),
    whole("page_count", null=True),
    text("outcome", null=True),
    text("refusal", null=True),
    text("reason", null=True),
    whole("attempts"),
    whole("retries"),
    moment("done_at", null=True),
    moment("notified_at", null=True),
    moment("retried_at", null=True),
    whole("alerted"),
    moment("alert_at", null=True),
    sequence(),
    PrimaryKeyConstraint("hip_id", "transaction_id", name="pk_data_flow_request"),
    Index("ix_data_flow_request_requested_at", "hip_id", "requested_at"),
    Index("ix_data_flow_request_consent", "hip_id", "consent_id", "requested_at"),
)
Index(
    "ix_data_flow_request_alert_at",
    data_flow_request.c.alert_at,
    postgresql_where=data_flow_request.c.alert_at.is_not(None),
)
Index(
    "ix_data_flow_request_open",
    data_flow_request.c.hip_id,
    data_flow_request.c.consent_id,
    postgresql_where=data_flow_request.c.status.not_in(["done", "dead"]),
)

pages = Table(
    "pages",
    METADATA,
    text("hip_id"),
    text("transaction_id"),
    whole("number"),
    text("care_context_reference"),
    text("visit_code", null=True),
    text("hi_type", null=True),
    text("state"),
    whole("attempts"),
    text("reason", null=True),
    moment("finished_at", null=True),
    whole("push", null=True),
    PrimaryKeyConstraint("hip_id", "transaction_id", "number", name="pk_pages"),
    ForeignKeyConstraint(
        ["hip_id", "transaction_id"],
        ["data_flow_request.hip_id", "data_flow_request.transaction_id"],
        name="fk_pages_transfer",
        ondelete="CASCADE",
    ),
)
Index(
    "ix_pages_pending",
    pages.c.hip_id,
    pages.c.transaction_id,
    pages.c.number,
    postgresql_where=pages.c.state == "pending",
)

# Rows are only ever added (the migration sees to it).
release_decisions = Table(
    "release_decisions",
    METADATA,
    text("hip_id"),
    sequence(),
    moment("at"),
    text("stage"),
    text("consent_id"),
    text("transaction_id", null=True),
    whole("page", null=True),
    text("patient", null=True),
    text("requester", null=True),
    text("policy"),
    Column("results", JSONB, nullable=False),
    Column("records", JSONB, nullable=False),
    PrimaryKeyConstraint("hip_id", "sequence", name="pk_release_decisions"),
    Index("ix_release_decisions_at", "hip_id", "at"),
    Index("ix_release_decisions_consent", "hip_id", "consent_id", "at"),
    Index("ix_release_decisions_transaction", "hip_id", "transaction_id", "at"),
    Index("ix_release_decisions_patient", "hip_id", "patient", "at"),
    Index("ix_release_decisions_requester", "hip_id", "requester", "at"),
)

health_information = Table(
    "health_information",
    METADATA,
    text("hip_id"),
    text("information_id"),
    sealed("data"),
    sealed("token"),
    moment("created_at"),
    text("transaction_id"),
    text("consent_id"),
    whole("number"),
    PrimaryKeyConstraint("hip_id", "information_id", name="pk_health_information"),
    # A requester brings the id alone.
    Index("uq_health_information_id", "information_id", unique=True),
    Index("ix_health_information_consent", "hip_id", "consent_id"),
    # Entries wait ten minutes (RET-03 allows a day); the sweep goes through every HIP's.
    Index("ix_health_information_created_at", "created_at"),
)

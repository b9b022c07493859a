"""Consents, the transfers they allow and their pages."""

from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, Table

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
    sequence(),
    PrimaryKeyConstraint("hip_id", "consent_id", name="pk_consents"),
    Index("ix_consents_received_at", "hip_id", "received_at"),
)

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
    sequence(),
    PrimaryKeyConstraint("hip_id", "transaction_id", name="pk_data_flow_request"),
    Index("ix_data_flow_request_requested_at", "hip_id", "requested_at"),
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

health_information = Table(
    "health_information",
    METADATA,
    text("hip_id"),
    text("information_id"),
    sealed("data"),
    sealed("token"),
    moment("created_at"),
    PrimaryKeyConstraint("hip_id", "information_id", name="pk_health_information"),
    # Pages wait 24 hours at most (RET-03); the sweep goes through every HIP's.
    Index("ix_health_information_created_at", "created_at"),
)

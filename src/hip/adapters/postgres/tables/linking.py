"""Care contexts, the requests and tokens that link them, and discoveries."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Computed, Index, PrimaryKeyConstraint, Table, Text, literal_column
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hip.adapters.postgres.tables.columns import METADATA, flag, moment, sealed, sequence, text
from hip.domain.hi_types import HiType

care_context = Table(
    "care_context",
    METADATA,
    text("hip_id"),
    text("care_context_number"),
    text("link_reference_number", null=True),
    text("visit_code"),
    text("display"),
    Column("facility_id", Text, Computed("hip_id", persisted=True)),
    text("patient_reference"),
    moment("clinical_date"),
    Column("hi_types", ARRAY(Text), nullable=False),
    text("linked_to", null=True),
    moment("linked_at", null=True),
    sequence(),
    PrimaryKeyConstraint("hip_id", "care_context_number", name="pk_care_context"),
    Index("ix_care_context_patient", "hip_id", "patient_reference", "clinical_date"),
    Index("ix_care_context_clinical_date", "hip_id", "clinical_date"),
)
Index(
    "ix_care_context_linked_to",
    care_context.c.hip_id,
    care_context.c.linked_to,
    postgresql_where=care_context.c.linked_to.is_not(None),
)


def unlinked_of(hi_type: HiType) -> ColumnElement[bool]:
    """What the index of this HI type holds; a statement that says the same, by literals, reads that index only."""
    named: ColumnElement[Any] = literal_column(f"'{{{hi_type.value}}}'::text[]")
    return care_context.c.linked_to.is_(None) & care_context.c.hi_types.op("@>", is_comparison=True)(named)


# One for each HI type: the newest of a type are its last few entries, however many visits a patient has.
for _hi_type in HiType:
    Index(
        f"ix_care_context_unlinked_{_hi_type.value.lower()}",
        care_context.c.hip_id,
        care_context.c.patient_reference,
        care_context.c.clinical_date,
        care_context.c.sequence,
        postgresql_where=unlinked_of(_hi_type),
    )

initiated_link_request = Table(
    "initiated_link_request",
    METADATA,
    text("hip_id"),
    text("link_reference_number"),
    text("request_id", null=True),
    text("txn_id", null=True),
    text("status"),
    moment("created_at"),
    moment("updated_at"),
    text("visit_code"),
    text("patient_reference"),
    text("abha_address", null=True),
    text("code", null=True),
    flag("token_renewed"),
    text("led_by", null=True),
    sequence(),
    PrimaryKeyConstraint("hip_id", "link_reference_number", name="pk_initiated_link_request"),
    Index("ix_initiated_link_request_visit", "hip_id", "visit_code", "created_at"),
    Index("ix_initiated_link_request_created_at", "hip_id", "created_at"),
)
Index(
    "ix_initiated_link_request_abha_address",
    initiated_link_request.c.hip_id,
    initiated_link_request.c.abha_address,
    postgresql_where=initiated_link_request.c.abha_address.is_not(None),
)
Index(
    "ix_initiated_link_request_request_id",
    initiated_link_request.c.hip_id,
    initiated_link_request.c.request_id,
    postgresql_where=initiated_link_request.c.request_id.is_not(None),
)
Index(
    "ix_initiated_link_request_led_by",
    initiated_link_request.c.hip_id,
    initiated_link_request.c.led_by,
    postgresql_where=initiated_link_request.c.led_by.is_not(None),
)
Index(
    "ix_initiated_link_request_awaiting_token",
    initiated_link_request.c.hip_id,
    initiated_link_request.c.abha_address,
    postgresql_where=initiated_link_request.c.status.in_(("awaiting-token", "unanswered")),
)
# Those that are on their way: few, for each is answered or given up within minutes.
Index(
    "ix_initiated_link_request_under_way",
    initiated_link_request.c.hip_id,
    initiated_link_request.c.link_reference_number,
    postgresql_where=initiated_link_request.c.status.in_(("awaiting-token", "ready", "requested", "sms-requested")),
)

generate_token_response = Table(
    "generate_token_response",
    METADATA,
    text("hip_id"),
    text("request_id"),
    text("abha_address"),
    text("abha_number", null=True),
    sealed("link_token", null=True),
    moment("expires_at", null=True),
    text("error_code", null=True),
    moment("created_at"),
    sequence(),
    PrimaryKeyConstraint("hip_id", "request_id", name="pk_generate_token_response"),
)
Index(
    "ix_generate_token_response_abha_address",
    generate_token_response.c.hip_id,
    generate_token_response.c.abha_address,
    generate_token_response.c.created_at,
    postgresql_where=generate_token_response.c.link_token.is_not(None),
)

discovery_request = Table(
    "discovery_request",
    METADATA,
    text("hip_id"),
    text("transaction_id"),
    text("consent_manager_user_id"),
    text("patient_reference_number", null=True),
    moment("timestamp"),
    Column("offered", JSONB(none_as_null=True)),
    PrimaryKeyConstraint("hip_id", "transaction_id", name="pk_discovery_request"),
    Index("ix_discovery_request_asked", "hip_id", "consent_manager_user_id", "timestamp"),
)

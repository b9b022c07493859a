"""The audit becomes a hash chain for each HIP; what is there already is chained in the order of its insertion."""

import hashlib
import json
from datetime import UTC
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_GENESIS = "0" * 64
_BATCH = 1000
_ROWS = sa.text(
    "SELECT hip_id, inserted, at, actor, action, subject, CAST(detail AS text) AS detail FROM audit "
    "WHERE (hip_id, inserted) > (:hip_id, :inserted) ORDER BY hip_id, inserted LIMIT :limit"
)
_CHAIN = sa.text(
    "UPDATE audit SET sequence = :sequence, previous = :previous, digest = :digest "
    "WHERE hip_id = :hip_id AND inserted = :inserted"
)
_HEADS = sa.text(
    "INSERT INTO audit_heads (hip_id, sequence, previous, digest) "
    "SELECT DISTINCT ON (hip_id) hip_id, sequence, previous, digest FROM audit ORDER BY hip_id, sequence DESC"
)
_GO_ON = sa.text(
    "SELECT setval(pg_get_serial_sequence('audit', 'sequence'), (SELECT coalesce(max(sequence), 0) + 1 FROM audit), "
    "false)"
)


def upgrade() -> None:
    op.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
    op.execute("ALTER TABLE audit ALTER COLUMN sequence DROP IDENTITY")
    op.alter_column("audit", "sequence", new_column_name="inserted")
    op.add_column("audit", sa.Column("sequence", sa.BigInteger))
    op.add_column("audit", sa.Column("previous", sa.Text))
    op.add_column("audit", sa.Column("digest", sa.Text))
    op.create_table(
        "audit_heads",
        sa.Column("hip_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("hip_id", name="pk_audit_heads"),
    )
    _chain(op.get_bind())
    op.drop_constraint("pk_audit", "audit")
    op.drop_column("audit", "inserted")
    for name in ("sequence", "previous", "digest"):
        op.alter_column("audit", name, nullable=False)
    op.create_primary_key("pk_audit", "audit", ["hip_id", "sequence"])
    op.execute("ALTER TABLE audit ENABLE TRIGGER audit_is_append_only")


def downgrade() -> None:
    op.drop_table("audit_heads")
    op.drop_column("audit", "previous")
    op.drop_column("audit", "digest")
    op.execute("ALTER TABLE audit ALTER COLUMN sequence ADD GENERATED ALWAYS AS IDENTITY")
    op.execute(_GO_ON)


def _chain(connection: sa.Connection) -> None:
    """The digests of domain.audit as they were defined with this revision; memory holds one batch of rows."""
    hip_id, inserted, sequence, digest = "", 0, 0, _GENESIS
    while rows := connection.execute(_ROWS, {"hip_id": hip_id, "inserted": inserted, "limit": _BATCH}).all():
        links: list[dict[str, Any]] = []
        for row in rows:
            if row.hip_id != hip_id:
                sequence, digest = 0, _GENESIS
            hip_id, inserted, sequence, previous = row.hip_id, row.inserted, sequence + 1, digest
            digest = _digest(row, sequence, previous)
            links.append(
                {
                    "hip_id": hip_id,
                    "inserted": inserted,
                    "sequence": sequence,
                    "previous": previous,
                    "digest": digest,
                }
            )
        connection.execute(_CHAIN, links)
    connection.execute(_HEADS)


def _digest(row: Any, sequence: int, previous: str) -> str:
    at = row.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    content = [row.hip_id, at, row.actor, row.action, row.subject, json.loads(row.detail)]
    canonical = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    link = bytes.fromhex(previous) + sequence.to_bytes(8, "big") + hashlib.sha256(canonical).digest()
    return hashlib.sha256(link).hexdigest()

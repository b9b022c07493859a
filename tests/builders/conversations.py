"""Callbacks, exchanges and audit entries for tests."""

from typing import Any

from tests.builders.links import HIP
from tests.builders.moments import MINUTE, NOW

from hip.domain.audit import AuditEntry
from hip.domain.callbacks import Callback, CallbackId
from hip.domain.exchanges import Exchange, ExchangeId, Flow
from hip.domain.identifiers import RequestId


def a_callback(**changes: Any) -> Callback:
    """A token callback as it came in."""
    values: dict[str, Any] = {
        "id": CallbackId("callback-1"),
        "hip_id": HIP,
        "path": "/api/v3/hip/token/on-generate-token",
        "request_id": RequestId("request-of-callback-1"),
        "received_at": NOW,
        "body_hash": "cd" * 32,
        "sealed_body": b"\x00sealed\xff",
        "headers": (("authorization", 812), ("request-id", 36)),
        "verified": True,
        "requester": "HIU-1",
    }
    return Callback(**(values | changes))


def an_exchange(**changes: Any) -> Exchange:
    """A generate-token call that was just sent."""
    values: dict[str, Any] = {
        "id_": ExchangeId("exchange-1"),
        "hip_id": HIP,
        "flow": Flow.GENERATE_TOKEN,
        "business_key": "meera.k01@sbx",
        "request_id": RequestId("attempt-1"),
        "now": NOW,
        "answer_due": NOW + 5 * MINUTE,
    }
    values |= changes
    return Exchange.open(values.pop("id_"), **values)


def an_audit_entry(**changes: Any) -> AuditEntry:
    """A link that was made."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "at": NOW,
        "actor": "worker",
        "action": "link",
        "subject": "88120",
        "detail": (("status", "linked"), ("contexts", "1")),
    }
    return AuditEntry(**(values | changes))

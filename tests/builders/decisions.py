"""Decision records for tests."""

from typing import Any

from tests.builders.links import HIP
from tests.builders.moments import NOW

from hip.domain.decisions import Decision, RecordDecision, RuleResult, Stage, Verdict, digest
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, ConsentId, TransactionId


def a_decision(**changes: Any) -> Decision:
    """Page 1 of a transfer may leave, with a mark on its signature; then ``changes``."""
    values: dict[str, Any] = {
        "hip_id": HIP,
        "consent_id": ConsentId("consent-1"),
        "transaction_id": TransactionId("transfer-1"),
        "stage": Stage.PAGE,
        "at": NOW,
        "page": 1,
        "patient": digest("meera.k01@sbx"),
        "requester": "HIU-1",
        "results": (
            RuleResult(rule="REL-02", verdict=Verdict.PASS, values=(("status", "GRANTED"),)),
            RuleResult(rule="REL-18", verdict=Verdict.WARN, reason="the artefact's signature is unverified"),
        ),
        "records": (
            RecordDecision(
                care_context_reference=CareContextReference("88120"),
                hi_type=HiType.PRESCRIPTION,
                results=(RuleResult(rule="REL-10", verdict=Verdict.REFUSE, code="ABDM-1062", reason="not consented"),),
            ),
        ),
    }
    return Decision(**(values | changes))

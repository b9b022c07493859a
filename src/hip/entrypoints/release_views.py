"""What operators see of consents, of decisions under them, and of transfers; no clinical data, no names, no keys."""

from hip.domain.consents import Consent
from hip.domain.decisions import TITLES, Decision, RuleResult, Verdict
from hip.domain.pages import Page, context_statuses
from hip.domain.transfers import Transfer
from hip.entrypoints.views import Shown, shown_time


def consent_view(consent: Consent) -> Shown:
    artefact = consent.artefact
    return {
        "hipId": consent.hip_id,
        "consentId": consent.consent_id,
        "status": consent.status,
        "signatureState": consent.signature_state,
        "artefactHash": consent.artefact_hash,
        "receivedAt": shown_time(consent.received_at),
        "updatedAt": shown_time(consent.updated_at),
        "acknowledgedAt": shown_time(consent.acknowledged_at),
        "purpose": artefact.purpose if artefact else None,
        "hiuId": artefact.hiu_id if artefact else None,
        "hiTypes": sorted(artefact.hi_types) if artefact else None,
        "careContexts": len(artefact.care_contexts) if artefact else None,
        "from": shown_time(artefact.date_range.start) if artefact else None,
        "to": shown_time(artefact.date_range.end) if artefact else None,
        "dataEraseAt": shown_time(artefact.data_erase_at) if artefact else None,
    }


def decision_view(decision: Decision) -> Shown:
    """One decision record, whole. Of the patient it holds a digest, never the ABHA address."""
    return {
        **decision_line(decision),
        "hipId": decision.hip_id,
        "consentId": decision.consent_id,
        "requester": decision.requester,
        "patient": decision.patient,
        "policy": decision.policy,
        "results": [_result_view(result) for result in decision.results],
        "records": [
            {
                "careContextReference": record.care_context_reference,
                "hiType": record.hi_type,
                "leaves": record.leaves,
                "results": [_result_view(result) for result in record.results],
            }
            for record in decision.records
        ],
    }


def decision_line(decision: Decision) -> Shown:
    """One decision record in a line: when, about what, the verdict, and the rule that decided it."""
    kept = [record.refusal for record in decision.records if record.refusal is not None]
    refusal = decision.refusal or (kept[0] if len(kept) == len(decision.records) and kept else None)
    warned = ", ".join(result.rule for result in decision.results if result.verdict is Verdict.WARN)
    return {
        "at": shown_time(decision.at),
        "stage": decision.stage,
        "transactionId": decision.transaction_id,
        "page": decision.page,
        "verdict": "refused" if refusal else "permitted",
        "rule": refusal.rule if refusal else None,
        "code": refusal.code if refusal else None,
        "reason": refusal.reason if refusal else None,
        "warned": warned or None,
        "leaving": len(decision.records) - len(kept),
        "kept": len(kept),
    }


def _result_view(result: RuleResult) -> Shown:
    return {
        "rule": result.rule,
        "title": TITLES.get(result.rule, ""),
        "verdict": result.verdict,
        "code": result.code,
        "reason": result.reason,
        "values": dict(result.values),
    }


def transfer_view(transfer: Transfer, pages: list[Page] | None = None) -> Shown:
    shown: Shown = {
        "hipId": transfer.hip_id,
        "transactionId": transfer.transaction_id,
        "consentId": transfer.consent_id,
        "state": transfer.state,
        "outcome": transfer.outcome,
        "refusal": transfer.refusal,
        "reason": transfer.reason,
        "attempts": transfer.attempts,
        "pageCount": transfer.page_count,
        "requestedAt": shown_time(transfer.requested_at),
        "acknowledgedAt": shown_time(transfer.acknowledged_at),
        "deadline": shown_time(transfer.deadline),
        "doneAt": shown_time(transfer.done_at),
        "notifiedAt": shown_time(transfer.notified_at),
    }
    if pages is not None:
        shown["pages"] = [
            {
                "number": page.number,
                "careContextReference": page.care_context_reference,
                "hiType": page.hi_type,
                "state": page.state,
                "attempts": page.attempts,
                "reason": page.reason,
                "finishedAt": shown_time(page.finished_at),
            }
            for page in pages
        ]
        shown["careContexts"] = [
            {
                "careContextReference": status.care_context_reference,
                "hiStatus": status.hi_status,
                "description": status.description,
            }
            for status in context_statuses(pages)
        ]
    return shown

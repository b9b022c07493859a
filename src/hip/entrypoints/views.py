"""What operators see of stored things: states, codes, counts and times; no clinical data, no names, no keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hip.application.storage import Job, Visit
from hip.domain.accounts import ACCOUNT_CLOSED
from hip.domain.bundle_jobs import BundleJob, BundleJobState
from hip.domain.bundles import BundleRecord, Issue
from hip.domain.callbacks import Callback
from hip.domain.consents import Consent
from hip.domain.decisions import TITLES, Decision, RuleResult, Verdict
from hip.domain.exchanges import Exchange, Flow
from hip.domain.links import CareContext, LinkRequest, LinkStatus, LinkToken
from hip.domain.pages import Page, context_statuses
from hip.domain.refusals import explain
from hip.domain.transfers import Transfer

Shown = dict[str, Any]


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def visit_view(visit: Visit, bundles: list[Shown], jobs: Sequence[BundleJob], context: CareContext | None) -> Shown:
    """``jobs`` say of each document what became of its making; ``unfinished`` are those that are not valid yet."""
    record = visit.record
    return {
        "hipId": record.hip_id,
        "visitCode": record.visit_code,
        "version": visit.version,
        "receivedAt": _time(visit.received_at),
        "hiTypes": list(record.required_hi_types),
        "bundles": bundles,
        "jobs": [bundle_job_view(job) for job in jobs],
        "unfinished": [job.key.hi_type for job in jobs if job.state is not BundleJobState.VALID],
        "invalid": [bundle["hiType"] for bundle in bundles if not bundle["valid"]],
        "linked": context.linked if context else False,
        "linkedAt": _time(context.linked_at) if context else None,
    }


def bundle_job_view(job: BundleJob) -> Shown:
    return {
        "hiType": job.key.hi_type,
        "version": job.version,
        "state": job.state,
        "attempts": job.attempts,
        "nextRunAt": _time(job.next_run_at),
        "error": job.error,
        "updatedAt": _time(job.updated_at),
    }


def bundle_view(bundle: BundleRecord) -> Shown:
    return {
        "hipId": bundle.key.hip_id,
        "visitCode": bundle.key.visit_code,
        "hiType": bundle.key.hi_type,
        "version": bundle.version,
        "valid": bundle.valid,
        "size": bundle.size,
        "sha256": bundle.sha256,
        "composedAt": _time(bundle.composed_at),
    }


def issue_view(issue: Issue) -> Shown:
    # What was found is a piece of the document, so it may be clinical: `hip bundle show --stored` shows that.
    return {
        "severity": issue.severity,
        "rule": issue.rule,
        "path": issue.path,
        "message": issue.message,
        "expected": issue.expected,
        "fix": issue.fix,
        "profile": issue.profile,
    }


def _token_view(request: LinkRequest, token: LinkToken | None) -> Shown:
    """Where the patient's link token stands: its value is shown to nobody."""
    if token is not None:
        state = "valid"
    elif request.abha_address is None:
        state = "not-needed"
    elif request.status is LinkStatus.AWAITING_TOKEN:
        state = "awaited"
    else:
        # Before a visit went out in a link call only its token can have been refused.
        state = "refused" if request.status is LinkStatus.REFUSED and request.led_by is None else "none"
    return {"tokenState": state, "tokenExpiresAt": _time(token.expires_at) if token else None}


def link_view(request: LinkRequest, token: LinkToken | None = None) -> Shown:
    """One visit's link, and the ``token`` that its patient has now: code, cause, what to do, and who has to do it."""
    refused = request.status in (LinkStatus.REFUSED, LinkStatus.UNANSWERED)
    if request.abha_address is None and request.code != ACCOUNT_CLOSED:
        flow = Flow.SMS_NOTIFY
    else:
        # Before a visit went out in a link call it can only have been kept up by its token.
        flow = Flow.GENERATE_TOKEN if request.led_by is None else Flow.LINK_CARE_CONTEXT
    why = explain(request.code or "", flow) if refused else None
    return {
        "hipId": request.hip_id,
        "visitCode": request.visit_code,
        "patientReference": request.patient_reference,
        "linkReference": request.reference,
        "status": request.status,
        "code": request.code,
        "advice": f"{why.cause}: {why.fix}" if why else None,
        "whoActs": why.actor if why else None,
        **_token_view(request, token),
        "sentWith": request.led_by,
        "requestId": request.request_id,
        "createdAt": _time(request.created_at),
        "updatedAt": _time(request.updated_at),
    }


def _explained(exchange: Exchange) -> Shown:
    if exchange.refusal is None:
        return {"cause": None, "fix": None, "whoActs": None}
    why = explain(exchange.refusal, exchange.flow)
    return {"cause": why.cause, "fix": why.fix, "whoActs": why.actor}


def exchange_view(exchange: Exchange) -> Shown:
    # The business key of a token request is an ABHA address: it is left out.
    return {
        "id": exchange.id,
        "hipId": exchange.hip_id,
        "flow": exchange.flow,
        "outcome": exchange.outcome,
        "firstRefusal": exchange.refusal,
        **_explained(exchange),
        "openedAt": _time(exchange.opened_at),
        "updatedAt": _time(exchange.updated_at),
        "answerDue": _time(exchange.answer_due),
        "attempts": [
            {
                "requestId": attempt.request_id,
                "sentAt": _time(attempt.sent_at),
                "status": attempt.status,
                "code": attempt.code,
                "repliedAt": _time(attempt.replied_at),
                "answeredAt": _time(attempt.answered_at),
            }
            for attempt in exchange.attempts
        ],
    }


def consent_view(consent: Consent) -> Shown:
    artefact = consent.artefact
    return {
        "hipId": consent.hip_id,
        "consentId": consent.consent_id,
        "status": consent.status,
        "signatureState": consent.signature_state,
        "artefactHash": consent.artefact_hash,
        "receivedAt": _time(consent.received_at),
        "updatedAt": _time(consent.updated_at),
        "acknowledgedAt": _time(consent.acknowledged_at),
        "purpose": artefact.purpose if artefact else None,
        "hiuId": artefact.hiu_id if artefact else None,
        "hiTypes": sorted(artefact.hi_types) if artefact else None,
        "careContexts": len(artefact.care_contexts) if artefact else None,
        "from": _time(artefact.date_range.start) if artefact else None,
        "to": _time(artefact.date_range.end) if artefact else None,
        "dataEraseAt": _time(artefact.data_erase_at) if artefact else None,
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
        "at": _time(decision.at),
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
        "requestedAt": _time(transfer.requested_at),
        "acknowledgedAt": _time(transfer.acknowledged_at),
        "deadline": _time(transfer.deadline),
        "doneAt": _time(transfer.done_at),
        "notifiedAt": _time(transfer.notified_at),
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
                "finishedAt": _time(page.finished_at),
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


def job_view(job: Job) -> Shown:
    return {
        "id": job.id,
        "hipId": job.hip_id,
        "topic": job.topic,
        "key": job.key,
        "state": job.state,
        "attempt": job.attempt,
        "runAt": _time(job.run_at),
        "error": job.error,
    }


def callback_view(callback: Callback) -> Shown:
    return {
        "id": callback.id,
        "hipId": callback.hip_id,
        "path": callback.path,
        "requestId": callback.request_id,
        "state": callback.state,
        "verified": callback.verified,
        "late": callback.late,
        "runs": callback.runs,
        "error": callback.error,
        "bodyHash": callback.body_hash,
        "bodyKept": callback.sealed_body is not None,
        "headers": dict(callback.headers),
        "receivedAt": _time(callback.received_at),
        "finishedAt": _time(callback.finished_at),
    }

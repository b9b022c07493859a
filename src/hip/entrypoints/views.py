"""What operators see of stored things: states, codes, counts and times; no clinical data, no names, no keys.

Consents and what is released under them are in ``release_views``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hip.application.storage import Job, Visit
from hip.domain.accounts import ACCOUNT_CLOSED
from hip.domain.bundle_jobs import BundleJob, BundleJobState
from hip.domain.bundles import BundleRecord, Issue
from hip.domain.callbacks import Callback
from hip.domain.exchanges import Exchange, Flow
from hip.domain.links import CareContext, LinkRequest, LinkStatus, LinkToken
from hip.domain.refusals import explain

Shown = dict[str, Any]


def shown_time(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def visit_view(visit: Visit, bundles: list[Shown], jobs: Sequence[BundleJob], context: CareContext | None) -> Shown:
    """``jobs`` say of each document what became of its making; ``unfinished`` are those that are not valid yet."""
    record = visit.record
    return {
        "hipId": record.hip_id,
        "visitCode": record.visit_code,
        "version": visit.version,
        "receivedAt": shown_time(visit.received_at),
        "hiTypes": list(record.required_hi_types),
        "bundles": bundles,
        "jobs": [bundle_job_view(job) for job in jobs],
        "unfinished": [job.key.hi_type for job in jobs if job.state is not BundleJobState.VALID],
        "invalid": [bundle["hiType"] for bundle in bundles if not bundle["valid"]],
        "linked": context.linked if context else False,
        "linkedAt": shown_time(context.linked_at) if context else None,
    }


def bundle_job_view(job: BundleJob) -> Shown:
    return {
        "hiType": job.key.hi_type,
        "version": job.version,
        "state": job.state,
        "attempts": job.attempts,
        "nextRunAt": shown_time(job.next_run_at),
        "error": job.error,
        "updatedAt": shown_time(job.updated_at),
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
        "composedAt": shown_time(bundle.composed_at),
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
    return {"tokenState": state, "tokenExpiresAt": shown_time(token.expires_at) if token else None}


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
        "createdAt": shown_time(request.created_at),
        "updatedAt": shown_time(request.updated_at),
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
        "openedAt": shown_time(exchange.opened_at),
        "updatedAt": shown_time(exchange.updated_at),
        "answerDue": shown_time(exchange.answer_due),
        "attempts": [
            {
                "requestId": attempt.request_id,
                "sentAt": shown_time(attempt.sent_at),
                "status": attempt.status,
                "code": attempt.code,
                "repliedAt": shown_time(attempt.replied_at),
                "answeredAt": shown_time(attempt.answered_at),
            }
            for attempt in exchange.attempts
        ],
    }


def job_view(job: Job) -> Shown:
    return {
        "id": job.id,
        "hipId": job.hip_id,
        "topic": job.topic,
        "key": job.key,
        "state": job.state,
        "attempt": job.attempt,
        "runAt": shown_time(job.run_at),
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
        "receivedAt": shown_time(callback.received_at),
        "finishedAt": shown_time(callback.finished_at),
    }

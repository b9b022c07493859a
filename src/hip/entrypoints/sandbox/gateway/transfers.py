"""Transfers, and what both ends report of them (contract §2.12)."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from hip.entrypoints.sandbox.gateway.calls import Call, Endpoint, Reply, Routes
from hip.entrypoints.sandbox.gateway.consent_book import Artefact
from hip.entrypoints.sandbox.gateway.journal import Journal
from hip.entrypoints.sandbox.gateway.refusals import bad
from hip.entrypoints.sandbox.moments import Now, read_moment, stamp
from hip.entrypoints.sandbox.views import NotifyView, Problem, TransferView

DEADLINE = timedelta(minutes=20)
# `OK` from a HIP was seen to be accepted, and TRANSFERRED from an HIU.
SESSION_STATUSES = {"HIP": ("TRANSFERRED", "FAILED"), "HIU": ("RECEIVED", "TRANSFERRED", "FAILED")}
CONTEXT_STATUSES = {"HIP": ("DELIVERED", "ERRORED", "OK"), "HIU": ("OK", "ERRORED")}


class Notifier(msgspec.Struct):
    """Which end reports."""

    type: Literal["HIP", "HIU"]
    id: str


class ContextOutcome(msgspec.Struct, rename="camel"):
    """What became of one care context."""

    care_context_reference: str
    hi_status: str
    description: str | None = None


class SessionOutcome(msgspec.Struct, rename="camel"):
    """What became of the transfer."""

    session_status: str
    hip_id: str
    status_responses: list[ContextOutcome]


class TransferNotice(msgspec.Struct, rename="camel"):
    """A transfer notify."""

    consent_id: str
    transaction_id: str
    done_at: str
    notifier: Notifier
    status_notification: SessionOutcome


class NotifyBody(msgspec.Struct):
    """``/data-flow/v3/health-information/notify``."""

    notification: TransferNotice


@dataclass(slots=True)
class Transfer:
    """States: REQUESTED, ACKNOWLEDGED or REFUSED by the HIP, UNREACHABLE, UNACKNOWLEDGED consent."""

    transaction_id: str
    artefact: Artefact
    hiu_request: str
    asked_at: datetime
    state: str = "REQUESTED"
    problem: Problem | None = None
    notifies: list[NotifyView] = field(default_factory=list)

    def shown(self) -> TransferView:
        """For the control API."""
        return TransferView(
            transaction_id=self.transaction_id,
            consent_id=self.artefact.id,
            hip_id=self.artefact.hip_id,
            hiu_id=self.artefact.hiu_id,
            state=self.state,
            asked_at=stamp(self.asked_at),
            problem=self.problem,
            notifies=tuple(self.notifies),
        )


@dataclass(slots=True)
class Transfers:
    """Every transfer, by its transaction id, oldest first."""

    journal: Journal
    now: Now
    by_id: dict[str, Transfer] = field(default_factory=dict)

    def routes(self) -> Routes:
        """The notify of both sides; a refusal comes as an object."""
        return {("POST", "/data-flow/v3/health-information/notify"): Endpoint(handle=self.notify)}

    def begin(self, artefact: Artefact, hiu_request: str) -> Transfer:
        """A new one, for an HIU's request of this id."""
        transfer = Transfer(str(uuid.uuid4()), artefact, hiu_request, self.now())
        self.by_id[transfer.transaction_id] = transfer
        return transfer

    def of(self, transaction_id: str) -> Transfer:
        """The transfer with this id. ABDM-1017 when there is none."""
        transfer = self.by_id.get(transaction_id)
        if transfer is None:
            raise bad("ABDM-1017", "Invalid transaction id")
        return transfer

    async def notify(self, call: Call) -> Reply:
        """A report of either end, taken however often it comes; repeats that disagree are noted."""
        notice = call.body(NotifyBody).notification
        transfer = self._reported(call, notice)
        outcome, side = notice.status_notification, notice.notifier.type
        if outcome.session_status not in SESSION_STATUSES[side]:
            raise bad("ABDM-9999", f"Invalid status: sessionStatus of an {side}")
        if any(each.hi_status not in CONTEXT_STATUSES[side] for each in outcome.status_responses):
            raise bad("ABDM-9999", f"Invalid status: hiStatus of an {side}")
        if not outcome.status_responses:
            raise bad("ABDM-1006", "Bad request, invalid body: statusResponses")
        seen = NotifyView(
            at=stamp(self.now()),
            notifier=side,
            notifier_id=notice.notifier.id,
            session_status=outcome.session_status,
            outcomes={each.care_context_reference: each.hi_status for each in outcome.status_responses},
            descriptions={e.care_context_reference: e.description for e in outcome.status_responses if e.description},
        )
        if side == "HIP":
            self._note_findings(transfer, seen)
        transfer.notifies.append(seen)
        return Reply(202, {"status": "Notification is Accepted"})

    def _reported(self, call: Call, notice: TransferNotice) -> Transfer:
        transfer = self.of(notice.transaction_id)
        if notice.consent_id != transfer.artefact.id:
            raise bad("ABDM-9999", "Invalid consent id")
        artefact = transfer.artefact
        own = {service.id for service in call.caller.services}
        if notice.notifier.type == "HIP" and (notice.notifier.id != artefact.hip_id or artefact.hip_id not in own):
            raise bad("ABDM-1035", "Invalid HIP id")
        if notice.notifier.type == "HIU" and (notice.notifier.id != artefact.hiu_id or artefact.hiu_id not in own):
            raise bad("ABDM-1040", "Invalid HIU id")
        if notice.status_notification.hip_id != artefact.hip_id:
            raise bad("ABDM-1035", "Invalid HIP id")
        try:
            read_moment(notice.done_at)
        except ValueError:
            raise bad("ABDM-1006", "Bad request, invalid body: doneAt") from None
        if not notice.done_at.endswith("Z"):
            raise bad("ABDM-1006", "Bad request, invalid body: doneAt is not UTC")
        return transfer

    def _note_findings(self, transfer: Transfer, seen: NotifyView) -> None:
        name, allowed = transfer.transaction_id, set(transfer.artefact.references())
        delivered = any(status in ("DELIVERED", "OK") for status in seen.outcomes.values())
        earlier = [each for each in transfer.notifies if each.notifier == "HIP"]
        faults = {
            "does not name every care context of the consent": bool(allowed - set(seen.outcomes)),
            "names a care context outside the consent": bool(set(seen.outcomes) - allowed),
            "says TRANSFERRED though nothing was delivered": seen.session_status == "TRANSFERRED" and not delivered,
            "says FAILED though something was delivered": seen.session_status == "FAILED" and delivered,
            "disagrees with an earlier notify": any(
                (each.session_status, each.outcomes) != (seen.session_status, seen.outcomes) for each in earlier
            ),
            "came after 20 minutes": self.now() - transfer.asked_at > DEADLINE,
            "came before on-request": transfer.state == "REQUESTED",
        }
        for fault, happened in faults.items():
            if happened:
                self.journal.found("PUSH-08", f"the notify of {name} {fault}")

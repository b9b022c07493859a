"""The gateway's own books after it all: every question it put to the HIP was answered once, none twice and none never.

A question is a callback that demands an on-X (contract §2). It may be delivered several times under one REQUEST-ID, and
again under a new one, and stays one question; the answer that counts is the on-X that the gateway accepted.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from hip.entrypoints.sandbox.control import SandboxControl
from hip.entrypoints.sandbox.views import JournalEntry

ANSWERS = {
    "/hip/patient/care-context/discover": "/patient/care-context/on-discover",
    "/hip/link/care-context/init": "/link/care-context/on-init",
    "/hip/link/care-context/confirm": "/link/care-context/on-confirm",
    "/hip/patient/share": "/patient-share/v3/on-share",
    "/consent/request/hip/notify": "/consent/v3/request/hip/on-notify",
    "/hip/health-information/request": "/data-flow/v3/health-information/hip/on-request",
}
REPEATED = "repeated with a new id"


@dataclass(slots=True)
class Question:
    """Every REQUEST-ID under which one body was delivered, of them those it was first put under, and the answers."""

    put: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    accepted: int = 0
    refused: list[str] = field(default_factory=list)

    @property
    def fault(self) -> str:
        """What is wrong with the answers; empty when nothing is."""
        if self.accepted > len(self.put):
            return f"answered {self.accepted} times, and put {len(self.put)} times"
        if self.accepted < len(self.put) and not self.refused:
            return f"put {len(self.put)} times, answered {self.accepted} times, and never refused an answer"
        return ""


def questions(delivered: Iterable[JournalEntry], answers: Iterable[JournalEntry]) -> dict[str, Question]:
    """By the body that was delivered; what the gateway only reports to the HIP demands no answer."""
    found: dict[str, Question] = {}
    named: dict[str, Question] = {}
    for entry in delivered:
        if not 200 <= entry.status < 300 or (entry.body or {}).get("error"):
            continue
        question = found.setdefault(f"{entry.path} {_core(entry.body)}", Question())
        (question.again if entry.note == REPEATED else question.put).add(entry.request_id)
        named[entry.request_id] = question
    for entry in answers:
        question = named.get(str(((entry.body or {}).get("response") or {}).get("requestId")), Question())
        if 200 <= entry.status < 300:
            question.accepted += 1
        elif entry.code:
            question.refused.append(entry.code)
    return found


def _core(body: dict[str, object]) -> str:
    """Without what a scenario puts in anew each time."""
    return json.dumps({name: value for name, value in body.items() if name not in ("requestId", "timestamp")})


async def unsettled(control: SandboxControl) -> list[str]:
    """A line for every question whose answers are too many or missing. The gateway must keep its bodies."""
    wrong: list[str] = []
    for asked, answered in ANSWERS.items():
        delivered = await control.journal(path=asked, direction="out")
        found = questions(delivered, await control.journal(path=answered, direction="in"))
        assert found or not any(200 <= entry.status < 300 for entry in delivered), f"{asked}: no bodies were kept"
        wrong += [f"{name[:120]}: {question.fault}" for name, question in found.items() if question.fault]
    return wrong


async def all_settled(control: SandboxControl) -> None:
    """Wait until every question is answered as it must be."""
    await control.until("an answer, and one only, to everything the gateway asked", lambda: unsettled(control), _none)


def _none(wrong: list[str]) -> bool:
    return not wrong

"""Consent requests and the artefacts they became."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from hip.entrypoints.sandbox.gateway.consent_bodies import ConsentAsked, DateRange
from hip.entrypoints.sandbox.views import ConsentRequestView, ConsentView


@dataclass(slots=True)
class ConsentRequest:
    """What an HIU asked. Status: REQUESTED, then GRANTED or DENIED."""

    id: str
    hiu_id: str
    asked: ConsentAsked
    status: str = "REQUESTED"
    artefacts: list[str] = field(default_factory=list)

    def shown(self) -> ConsentRequestView:
        """For the control API and the patient's app."""
        purpose = self.asked.purpose
        return ConsentRequestView(
            id=self.id,
            patient=self.asked.patient.id,
            hiu_id=self.hiu_id,
            status=self.status,
            purpose=(purpose.code if purpose else None) or "",
            hi_types=self.asked.hi_types,
            artefacts=tuple(self.artefacts),
            detail=msgspec.to_builtins(self.asked),
        )


@dataclass(slots=True)
class Artefact:
    """A granted consent for one HIP. Status: GRANTED, then REVOKED or EXPIRED.

    ``hip_acknowledged``: the HIP's on-notify for that status. ``taken`` is set by its first ``OK``: before, no
    data flows.
    """

    id: str
    request_id: str
    hip_id: str
    hiu_id: str
    patient: str
    detail: Mapping[str, Any]
    signature: str
    status: str = "GRANTED"
    hip_acknowledged: str | None = None
    taken: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def date_range(self) -> DateRange:
        """The records' dates this consent covers."""
        return msgspec.convert(self.detail["permission"]["dateRange"], DateRange)

    @property
    def data_erase_at(self) -> str:
        """After this the consent is dead."""
        return str(self.detail["permission"]["dataEraseAt"])

    def references(self) -> list[str]:
        """The care contexts, each once."""
        return [context["careContextReference"] for context in self.detail["careContexts"]]

    def shown(self) -> ConsentView:
        """For the control API."""
        return ConsentView(
            id=self.id,
            request_id=self.request_id,
            status=self.status,
            patient=self.patient,
            hip_id=self.hip_id,
            hiu_id=self.hiu_id,
            hip_acknowledged=self.hip_acknowledged,
            detail=self.detail,
            signature=self.signature,
        )


@dataclass(slots=True)
class ConsentBook:
    """Everything asked and granted, by id."""

    requests: dict[str, ConsentRequest] = field(default_factory=dict)
    artefacts: dict[str, Artefact] = field(default_factory=dict)

    def of_patient(self, abha_address: str) -> list[Artefact]:
        """A patient's artefacts."""
        return [a for a in self.artefacts.values() if a.patient.casefold() == abha_address.casefold()]

"""The documents of the three projections: what callbacks said, link tokens, and patients with their linked visits.

AMRIT keeps replies as JSON text; ours is JSON text as well, but what is secret in it is sealed and named ``Sealed…``,
so that a reader who expects the plain value finds none instead of a wrong one. A patient's years and dates are text, as
they are there (amrit.md §5).
"""

import base64
import json
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Self
from uuid import UUID

from pydantic import Field

from hip.adapters.document_shapes import Shape, document_id
from hip.domain.identifiers import AbhaAddress, HipId, PatientReference, RequestId
from hip.domain.links import CareContext
from hip.domain.patients import Patient


class GatewayResponseShape(Shape):
    """``NDHMResponse``: a callback's body or a call's answer. ``responsedata`` is None once the body was cut out."""

    hip_id: str
    path: str
    requestid: str
    responsedata: str | None = Field(repr=False)

    @staticmethod
    def key(hip_id: HipId, request_id: RequestId, path: str) -> UUID:
        """The ``_id``; the same REQUEST-ID may come on two paths (the inbox is keyed likewise)."""
        return document_id("gateway-response", hip_id, path, request_id)

    @classmethod
    def of(cls, hip_id: HipId, request_id: RequestId, *, path: str, sealed_body: bytes | None) -> Self:
        """The sealed bytes become ``{"SealedBody": "<base64>"}``."""
        data = None if sealed_body is None else json.dumps({"SealedBody": base64.b64encode(sealed_body).decode()})
        return cls(hip_id=hip_id, path=path, requestid=request_id, responsedata=data)


class LinkTokenShape(Shape):
    """``GenerateLinkTokenResponse``: ``response`` says ``SealedLinkToken`` or ``Error`` with ``Code``, never both."""

    hip_id: str
    request_id: str
    abha_address: str = Field(repr=False)
    response: str | None = Field(repr=False)

    @staticmethod
    def key(hip_id: HipId, request_id: RequestId) -> UUID:
        """The ``_id``."""
        return document_id("link-token", hip_id, request_id)

    @classmethod
    def of(
        cls,
        hip_id: HipId,
        request_id: RequestId,
        *,
        abha_address: AbhaAddress,
        sealed_token: bytes | None,
        error_code: str | None,
    ) -> Self:
        """``response`` is None when there is neither token nor error, as after the token was dropped."""
        response: dict[str, object] | None = None
        if sealed_token is not None:
            response = {"SealedLinkToken": base64.b64encode(sealed_token).decode()}
        elif error_code is not None:
            response = {"Error": {"Code": error_code}}
        return cls(
            hip_id=hip_id,
            request_id=request_id,
            abha_address=abha_address.text,
            response=None if response is None else json.dumps(response),
        )


class CareContextShape(Shape):
    """One linked visit in a patient's list."""

    reference_number: str
    display: str
    linked_date: str | None
    facility_id: str

    @classmethod
    def of(cls, context: CareContext) -> Self:
        """The date of the link is ISO 8601 in UTC, to the millisecond."""
        linked = context.linked_at
        return cls(
            reference_number=context.reference,
            display=context.display,
            linked_date=None if linked is None else linked.astimezone(UTC).isoformat(timespec="milliseconds"),
            facility_id=context.hip_id,
        )


class PatientContextsShape(Shape):
    """``PatientCareContexts``: a patient and every visit that is linked. ``revision`` counts changes, from 1."""

    hip_id: str
    identifier: str
    case_reference_number: str
    phone_number: str | None = Field(repr=False)
    email: str | None = Field(default=None, repr=False)
    name: str = Field(repr=False)
    gender: str
    year_of_birth: str
    health_number: str | None = Field(repr=False)
    health_id: str | None = Field(repr=False)
    care_contexts: tuple[CareContextShape, ...] = Field(repr=False)
    revision: int = 1

    @staticmethod
    def key(hip_id: HipId, reference: PatientReference | str) -> UUID:
        """The ``_id``."""
        return document_id("patient-contexts", hip_id, reference)

    @classmethod
    def of(cls, hip_id: HipId, patient: Patient, contexts: Sequence[CareContext]) -> Self:
        """Contexts that are not linked are left out."""
        return cls(
            hip_id=hip_id,
            identifier=patient.reference,
            case_reference_number=patient.reference,
            phone_number=patient.phone,
            email=patient.email,
            name=patient.name,
            gender=patient.gender.value,
            year_of_birth=str(patient.birth_year),
            health_number=None if patient.abha_number is None else patient.abha_number.digits,
            health_id=None if patient.abha_address is None else patient.abha_address.text,
            care_contexts=_in_order([CareContextShape.of(context) for context in contexts if context.linked]),
        )

    def after(self, stored: Self) -> Self:
        """What to store over ``stored``; equal to it when there is nothing new.

        A link is for ever (LINK-04), so contexts that only ``stored`` has stay: a writer who read them before another
        visit was linked does not take that visit away.
        """
        contexts = {context.reference_number: context for context in (*stored.care_contexts, *self.care_contexts)}
        merged = self.model_copy(update={"care_contexts": _in_order(contexts.values()), "revision": stored.revision})
        return stored if merged == stored else merged.model_copy(update={"revision": stored.revision + 1})


def _in_order(contexts: Iterable[CareContextShape]) -> tuple[CareContextShape, ...]:
    """Oldest link first, so that the same links give the same document."""
    return tuple(sorted(contexts, key=lambda context: (context.linked_date or "", context.reference_number)))

"""``Bundles`` and ``Projections`` in this process: the same documents as in MongoDB, gone with the process."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from hip.adapters.document_shapes import BundleShape, Shape
from hip.adapters.projection_shapes import GatewayResponseShape, LinkTokenShape, PatientContextsShape
from hip.domain.bundles import Bundle, BundleKey, Issue
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, HipId, RequestId
from hip.domain.links import CareContext
from hip.domain.patients import Patient


class MemoryDocuments:
    """Set ``down`` to True and every method raises StorageFailed, as if the server were away."""

    def __init__(self) -> None:
        self.down = False
        self._bundles: dict[UUID, BundleShape] = {}
        self._patients: dict[UUID, PatientContextsShape] = {}
        self._responses: dict[UUID, tuple[Shape, datetime]] = {}

    async def put(self, bundle: Bundle) -> None:
        """``Bundles.put``. Raises InvalidValue above 16 MiB, or when the bytes are not UTF-8."""
        shape = BundleShape.of(bundle)
        self._answer()
        self._bundles[BundleShape.key(bundle.key, bundle.version)] = shape

    async def put_all(self, bundles: Sequence[Bundle]) -> None:
        """``Bundles.put_all``."""
        for bundle in bundles:
            await self.put(bundle)

    async def get(self, key: BundleKey, version: int) -> bytes | None:
        """``Bundles.get``."""
        self._answer()
        found = self._bundles.get(BundleShape.key(key, version))
        return None if found is None else found.resource_json.encode()

    async def issues(self, key: BundleKey, version: int) -> tuple[Issue, ...] | None:
        """``Bundles.issues``."""
        self._answer()
        found = self._bundles.get(BundleShape.key(key, version))
        return None if found is None else tuple(shape.issue() for shape in found.issues)

    async def put_gateway_response(
        self, hip_id: HipId, request_id: RequestId, *, path: str, sealed_body: bytes | None, now: datetime
    ) -> None:
        """``Projections.put_gateway_response``."""
        self._answer()
        self._keep(
            GatewayResponseShape.key(hip_id, request_id, path),
            GatewayResponseShape.of(hip_id, request_id, path=path, sealed_body=sealed_body),
            now=now,
        )

    async def put_link_token(
        self,
        hip_id: HipId,
        request_id: RequestId,
        *,
        abha_address: AbhaAddress,
        sealed_token: bytes | None,
        error_code: str | None,
        now: datetime,
    ) -> None:
        """``Projections.put_link_token``."""
        self._answer()
        shape = LinkTokenShape.of(
            hip_id, request_id, abha_address=abha_address, sealed_token=sealed_token, error_code=error_code
        )
        self._keep(LinkTokenShape.key(hip_id, request_id), shape, now=now)

    async def put_patient_contexts(self, hip_id: HipId, patient: Patient, contexts: Sequence[CareContext]) -> None:
        """``Projections.put_patient_contexts``."""
        self._answer()
        key = PatientContextsShape.key(hip_id, patient.reference)
        wanted = PatientContextsShape.of(hip_id, patient, contexts)
        stored = self._patients.get(key)
        self._patients[key] = wanted if stored is None else wanted.after(stored)

    async def patient_contexts(self, hip_id: HipId, reference: str) -> Mapping[str, object] | None:
        """``Projections.patient_contexts``."""
        self._answer()
        stored = self._patients.get(PatientContextsShape.key(hip_id, reference))
        return None if stored is None else stored.stored()

    def responses(self) -> list[Mapping[str, object]]:
        """The documents of ``NDHMResponse`` and ``GenerateLinkTokenResponse``, oldest first, as MongoDB has them."""
        return [{**shape.stored(), "createdDate": created} for shape, created in self._responses.values()]

    def _keep(self, key: UUID, shape: Shape, *, now: datetime) -> None:
        known = self._responses.get(key)
        self._responses[key] = (shape, now if known is None else known[1])

    def _answer(self) -> None:
        if self.down:
            raise StorageFailed("the memory documents are told to be down")

"""``Bundles`` and ``Projections`` in MongoDB, through beanie."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from beanie import Document, init_beanie
from pymongo import AsyncMongoClient, UpdateOne
from pymongo.errors import DuplicateKeyError
from pymongo.results import UpdateResult

from hip.adapters.document_shapes import BundleShape, IssueShape
from hip.adapters.mongo.documents import DocumentTypes
from hip.adapters.mongo.failures import SETTLES_WITHIN, translated
from hip.adapters.mongo.names import SEED, CollectionNames
from hip.adapters.projection_shapes import GatewayResponseShape, LinkTokenShape, PatientContextsShape
from hip.domain.bundles import Bundle, BundleKey, Issue
from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, HipId, RequestId
from hip.domain.links import CareContext
from hip.domain.patients import Patient

# A patient's document is read, merged and written back; every try that fails is somebody else's that succeeded.
_TRIES = 50


class MongoDocuments:
    """The document store. Construction opens nothing; the client belongs to the event loop that first uses it.

    Every write is acknowledged by a majority and journalled, whatever the URL says: a bundle exists from then on. A
    process that starts while MongoDB is away begins to work when it is back, for the first use opens as well.
    """

    def __init__(
        self,
        url: str,
        database: str,
        names: CollectionNames = SEED,
        *,
        found_within: timedelta = timedelta(seconds=3),
        answered_within: timedelta = timedelta(seconds=15),
    ) -> None:
        """``found_within`` bounds the search for a server, ``answered_within`` the wait for one answer of it."""
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            w="majority",
            journal=True,
            serverSelectionTimeoutMS=_milliseconds(found_within),
            connectTimeoutMS=_milliseconds(found_within),
            # Not timeoutMS: under it the driver goes on searching for a server until the whole time is over.
            socketTimeoutMS=_milliseconds(answered_within),
            wTimeoutMS=_milliseconds(answered_within),
            # A streaming monitor would connect a second time right after the first: a connection more for each job,
            # and a job may close the client just then (see SETTLES_WITHIN).
            serverMonitoringMode="poll",
            uuidRepresentation="standard",
            tz_aware=True,
        )
        self._database = self._client[database]
        self._types = DocumentTypes.named(names)
        self._opening = asyncio.Lock()
        self._open = False
        self._away = False

    async def open(self) -> None:
        """Bind the document classes, without touching indexes. Again changes nothing. Raises StorageFailed."""
        async with self._opening:
            if not self._open:
                with self._asking():
                    await init_beanie(self._database, document_models=self._types.all, skip_indexes=True)
                self._open = True

    async def ensure_indexes(self) -> None:
        """Create the indexes that are missing; part of ``hip db upgrade``. Raises StorageFailed."""
        async with self._opening:
            with self._asking():
                await init_beanie(self._database, document_models=self._types.all)
            self._open = True

    async def ping(self) -> None:
        """Raises StorageFailed unless the server answers."""
        with self._asking():
            await self._client.admin.command("ping")

    async def close(self) -> None:
        """Close every connection; the object is of no use after."""
        if self._away:
            await asyncio.sleep(SETTLES_WITHIN)
        await self._client.close()

    async def put(self, bundle: Bundle) -> None:
        """``Bundles.put``. Raises InvalidValue above 16 MiB, or when the bytes are not UTF-8."""
        shape = BundleShape.of(bundle)
        await self._upsert(self._types.bundles, BundleShape.key(bundle.key, bundle.version), {"$set": shape.stored()})

    async def put_all(self, bundles: Sequence[Bundle]) -> None:
        """``Bundles.put_all``, in one round trip."""
        writes = [
            UpdateOne(
                {"_id": BundleShape.key(bundle.key, bundle.version)},
                {"$set": BundleShape.of(bundle).stored()},
                upsert=True,
            )
            for bundle in bundles
        ]
        if not writes:
            return
        await self.open()
        with self._asking():
            await self._types.bundles.get_pymongo_collection().bulk_write(writes, ordered=False)

    async def get(self, key: BundleKey, version: int) -> bytes | None:
        """``Bundles.get``."""
        await self.open()
        with self._asking():
            found = await self._types.bundles.get_pymongo_collection().find_one(
                {"_id": BundleShape.key(key, version)}, {"ResourceJson": True}
            )
        return None if found is None else found["ResourceJson"].encode()

    async def issues(self, key: BundleKey, version: int) -> tuple[Issue, ...] | None:
        """``Bundles.issues``; the bundle itself stays in the server."""
        await self.open()
        with self._asking():
            found = await self._types.bundles.get_pymongo_collection().find_one(
                {"_id": BundleShape.key(key, version)}, {"issues": True}
            )
            if found is None:
                return None
            return tuple(IssueShape.model_validate(stored).issue() for stored in found.get("issues", ()))

    async def put_gateway_response(
        self, hip_id: HipId, request_id: RequestId, *, path: str, sealed_body: bytes | None, now: datetime
    ) -> None:
        """``Projections.put_gateway_response``; ``createdDate`` stays the first writer's."""
        shape = GatewayResponseShape.of(hip_id, request_id, path=path, sealed_body=sealed_body)
        await self._upsert(
            self._types.gateway_responses,
            GatewayResponseShape.key(hip_id, request_id, path),
            {"$set": shape.stored(), "$setOnInsert": {"createdDate": now}},
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
        """``Projections.put_link_token``; ``createdDate`` stays the first writer's."""
        shape = LinkTokenShape.of(
            hip_id, request_id, abha_address=abha_address, sealed_token=sealed_token, error_code=error_code
        )
        await self._upsert(
            self._types.link_tokens,
            LinkTokenShape.key(hip_id, request_id),
            {"$set": shape.stored(), "$setOnInsert": {"createdDate": now}},
        )

    async def put_patient_contexts(self, hip_id: HipId, patient: Patient, contexts: Sequence[CareContext]) -> None:
        """``Projections.put_patient_contexts``. Raises StorageFailed also when too many write at once."""
        wanted = PatientContextsShape.of(hip_id, patient, contexts)
        key = PatientContextsShape.key(hip_id, patient.reference)
        for _ in range(_TRIES):
            stored = await self._patient_contexts(key)
            if stored is None:
                if await self._upsert(self._types.patient_contexts, key, {"$setOnInsert": wanted.stored()}):
                    return
                continue
            merged = wanted.after(stored)
            if merged == stored or await self._replaced(key, merged, revision=stored.revision):
                return
        raise StorageFailed("the patient's care contexts kept changing")

    async def patient_contexts(self, hip_id: HipId, reference: str) -> Mapping[str, object] | None:
        """``Projections.patient_contexts``: AMRIT's field names and ours, without ``_id``."""
        stored = await self._patient_contexts(PatientContextsShape.key(hip_id, reference))
        return None if stored is None else stored.stored()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with translated():
                yield
        except StorageFailed:
            self._away = True
            raise
        self._away = False

    async def _patient_contexts(self, key: UUID) -> PatientContextsShape | None:
        await self.open()
        with self._asking():
            found = await self._types.patient_contexts.get_pymongo_collection().find_one({"_id": key})
            return None if found is None else PatientContextsShape.model_validate(found)

    async def _replaced(self, key: UUID, merged: PatientContextsShape, *, revision: int) -> bool:
        """False when the stored document is no longer at ``revision``."""
        with self._asking():
            result = await self._types.patient_contexts.find_one({"_id": key, "revision": revision}).update(
                {"$set": merged.stored()}
            )
        return isinstance(result, UpdateResult) and result.matched_count == 1

    async def _upsert(self, document: type[Document], key: UUID, change: Mapping[str, object]) -> bool:
        """True when the document was not there before."""
        await self.open()
        with self._asking():
            try:
                return await _upserted(document, key, change)
            except DuplicateKeyError:  # two inserted at the same moment; now it is there to be updated
                return await _upserted(document, key, change)


async def _upserted(document: type[Document], key: UUID, change: Mapping[str, object]) -> bool:
    # An update that answers with counts: ``save()`` would send the whole bundle back, at 3 times the time.
    result = await document.find_one({"_id": key}).update(change, upsert=True)
    return isinstance(result, UpdateResult) and result.upserted_id is not None


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)

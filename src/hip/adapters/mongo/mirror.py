"""``AmritMirror`` in the MongoDB that an older service reads."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bson import ObjectId
from pymongo import AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from hip.adapters.amrit_documents import bundle_fields, context_fields, document_key, patient_fields
from hip.adapters.mongo.failures import SETTLES_WITHIN, translated
from hip.adapters.mongo.names import AMRIT
from hip.domain.bundles import BundleRecord
from hip.domain.links import CareContext
from hip.domain.patients import Patient

_TIMEOUT_MS = 15_000


class MongoAmritMirror:
    """Connects late. ``names`` are AMRIT's own, whatever ours are called."""

    def __init__(self, url: str, database: str) -> None:
        self._away = False
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            w="majority",
            journal=True,
            serverSelectionTimeoutMS=3_000,
            socketTimeoutMS=_TIMEOUT_MS,
            wTimeoutMS=_TIMEOUT_MS,
            serverMonitoringMode="poll",
            tz_aware=True,
        )
        self._bundles = self._client[database][AMRIT.bundles]
        self._patients = self._client[database][AMRIT.patient_contexts]

    async def close(self) -> None:
        if self._away:
            await asyncio.sleep(SETTLES_WITHIN)
        await self._client.close()

    async def put_bundle(self, patient: Patient, record: BundleRecord, content: bytes) -> None:
        key = ObjectId(document_key("bundle", *str(record.key).split("/", 2)))
        with self._asking():
            await self._bundles.replace_one({"_id": key}, bundle_fields(patient, record, content), upsert=True)

    async def put_patient(self, patient: Patient, contexts: Sequence[CareContext]) -> None:
        theirs = {"identifier": patient.reference, "hipId": {"$exists": False}}
        first = {"_id": ObjectId(document_key("patient", patient.reference)), "careContextsList": []}
        change = {"$set": patient_fields(patient), "$setOnInsert": first}
        with self._asking():
            try:
                await self._patients.update_one(theirs, change, upsert=True)
            except DuplicateKeyError:  # another worker inserted it at the same moment
                await self._patients.update_one(theirs, change)
            for context in contexts:
                fields, listed = context_fields(context), "careContextsList.ReferenceNumber"
                there = await self._patients.update_one(
                    {**theirs, listed: context.reference}, {"$set": {"careContextsList.$": fields}}
                )
                if there.matched_count == 0:
                    absent = {**theirs, listed: {"$ne": context.reference}}
                    await self._patients.update_one(absent, {"$push": {"careContextsList": fields}})

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self._away = True
        with translated():
            yield
        self._away = False

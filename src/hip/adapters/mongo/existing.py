"""Collections that AMRIT itself wrote, in a MongoDB that may be another one than ours. Nothing is written there."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from pymongo import ASCENDING, AsyncMongoClient

from hip.adapters.existing_shapes import existing
from hip.adapters.mongo.failures import SETTLES_WITHIN, translated
from hip.adapters.mongo.names import AMRIT, SEED
from hip.application.existing_documents import ExistingBundle, ExistingPatient, Found, Kind
from hip.domain.errors import InvalidValue

_COLLECTIONS = {
    Kind.PATIENTS: tuple(dict.fromkeys((AMRIT.patient_contexts, SEED.patient_contexts))),
    Kind.BUNDLES: tuple(dict.fromkeys((AMRIT.bundles, SEED.bundles))),
}
_THEIRS = {"hipId": {"$exists": False}}
_ANSWERED_WITHIN_MS = 30_000


class MongoExistingDocuments:
    """``ExistingDocuments``, in the order of ``_id``, whatever its type. Connects late."""

    def __init__(self, url: str, database: str) -> None:
        self._away = False
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            serverSelectionTimeoutMS=5_000,
            socketTimeoutMS=_ANSWERED_WITHIN_MS,
            serverMonitoringMode="poll",
            tz_aware=True,
            uuidRepresentation="standard",
        )
        # A year beyond 9999, which somebody once typed, must not end the whole import.
        options: CodecOptions[dict[str, Any]] = self._client.codec_options.with_options(
            datetime_conversion=DatetimeConversion.DATETIME_AUTO
        )
        self._database = self._client.get_database(database, codec_options=options)

    async def close(self) -> None:
        if self._away:
            await asyncio.sleep(SETTLES_WITHIN)
        await self._client.close()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self._away = True
        with translated():
            yield
        self._away = False

    async def count(self, kind: Kind) -> int:
        with self._asking():
            return sum([await self._database[name].estimated_document_count() for name in _COLLECTIONS[kind]])

    async def after(self, kind: Kind, position: str | None, *, limit: int) -> Sequence[Found]:
        names = _COLLECTIONS[kind]
        name, last = _read(position, names)
        for collection in names[names.index(name) :]:
            cursor = self._database[collection].find(_THEIRS).sort("_id", ASCENDING).limit(limit + 1)
            if last is not None:
                # Not $gt, which keeps to one type of _id; ``min`` follows the index through all of them.
                cursor = cursor.hint([("_id", ASCENDING)]).min([("_id", last)])
            with self._asking():
                documents = [each async for each in cursor]
            found = [_found(kind, collection, each) for each in documents if each["_id"] != last][:limit]
            if found:
                return found
            last = None
        return []


def _read(position: str | None, names: Sequence[str]) -> tuple[str, Any]:
    if position is None:
        return names[0], None
    try:
        name, last = json_util.loads(position)
    except (ValueError, TypeError, BSONError):
        raise InvalidValue("position", "one that this command wrote") from None
    if name not in names:
        raise InvalidValue("position", "one that this command wrote")
    return name, last


def _found(kind: Kind, collection: str, document: dict[str, Any]) -> Found:
    place = f"{collection}/{document['_id']}"
    position = json_util.dumps([collection, document["_id"]])
    value: ExistingPatient | ExistingBundle | None = None
    fault = ""
    try:
        value = existing(kind, document)
    except InvalidValue as wrong:
        fault = str(wrong)
    return Found(place=place, position=position, value=value, fault=fault)

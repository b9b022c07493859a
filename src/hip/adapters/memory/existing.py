"""AMRIT's documents in this process."""

from collections.abc import Mapping, Sequence
from typing import Any

from hip.adapters.existing_shapes import existing
from hip.application.existing_documents import Found, Kind
from hip.domain.errors import InvalidValue, StorageFailed


class MemoryExistingDocuments:
    """``ExistingDocuments`` in the order they were added. ``down`` makes every call fail."""

    def __init__(self) -> None:
        self.down = False
        self._documents: dict[Kind, list[Mapping[str, Any]]] = {kind: [] for kind in Kind}

    def add(self, kind: Kind, *documents: Mapping[str, Any]) -> None:
        self._documents[kind] += documents

    async def count(self, kind: Kind) -> int:
        self._answer()
        return len(self._documents[kind])

    async def after(self, kind: Kind, position: str | None, *, limit: int) -> Sequence[Found]:
        self._answer()
        start = 0 if position is None else int(position)
        found: list[Found] = []
        for number, document in enumerate(self._documents[kind][start:], start + 1):
            if "hipId" not in document and len(found) < limit:
                found.append(_found(kind, number, document))
        return found

    def _answer(self) -> None:
        if self.down:
            raise StorageFailed("the memory documents are told to be down")


def _found(kind: Kind, number: int, document: Mapping[str, Any]) -> Found:
    place, position = f"{kind}/{document.get('_id', number)}", str(number)
    try:
        return Found(place=place, position=position, value=existing(kind, document))
    except InvalidValue as wrong:
        return Found(place=place, position=position, value=None, fault=str(wrong))

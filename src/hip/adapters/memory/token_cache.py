"""``TokenCache`` in this process."""

from datetime import datetime

from hip.domain.errors import StorageFailed
from hip.domain.identifiers import AbhaAddress, HipId
from hip.domain.links import LinkToken


class MemoryTokenCache:
    """Tokens expire by the times given to ``get``. Set ``down`` to True and every method raises StorageFailed."""

    def __init__(self) -> None:
        self.down = False
        self._tokens: dict[tuple[HipId, AbhaAddress], LinkToken] = {}

    async def get(self, hip_id: HipId, abha_address: AbhaAddress, *, now: datetime) -> LinkToken | None:
        """``TokenCache.get``."""
        self._answer()
        token = self._tokens.get((hip_id, abha_address))
        return token if token is not None and now < token.expires_at else None

    async def put(self, token: LinkToken, *, now: datetime) -> None:
        """``TokenCache.put``. An expired token only removes what was there."""
        self._answer()
        self._tokens.pop((token.hip_id, token.abha_address), None)
        if token.life(now=now):
            self._tokens[token.hip_id, token.abha_address] = token

    async def drop(self, hip_id: HipId, abha_address: AbhaAddress) -> None:
        """``TokenCache.drop``."""
        self._answer()
        self._tokens.pop((hip_id, abha_address), None)

    def _answer(self) -> None:
        if self.down:
            raise StorageFailed("the memory token cache is told to be down")

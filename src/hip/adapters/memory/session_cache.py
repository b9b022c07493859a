"""``SessionCache`` in this process."""

from datetime import datetime

from hip.domain.errors import StorageFailed


class MemorySessionCache:
    """Set ``down`` to True and every method raises StorageFailed, as if Redis were away."""

    def __init__(self) -> None:
        self.down = False
        self._kept: tuple[str, datetime] | None = None

    async def get(self, *, now: datetime) -> tuple[str, datetime] | None:
        """``SessionCache.get``."""
        self._answer()
        return self._kept if self._kept is not None and now < self._kept[1] else None

    async def put(self, token: str, *, good_until: datetime, now: datetime) -> None:
        """``SessionCache.put``."""
        self._answer()
        if now < good_until:
            self._kept = (token, good_until)

    async def drop(self) -> None:
        """``SessionCache.drop``."""
        self._answer()
        self._kept = None

    async def close(self) -> None:
        """Nothing to let go of."""

    def _answer(self) -> None:
        if self.down:
            raise StorageFailed("the session cache is told to be down")

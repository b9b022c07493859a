"""Redis that does not answer, in the domain's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from hip.domain.errors import StorageFailed


@contextmanager
def translated() -> Iterator[None]:
    """StorageFailed for what goes wrong between us and Redis; its own errors quote keys, and keys are people."""
    try:
        yield
    except (RedisError, OSError):
        raise StorageFailed("Redis did not answer") from None

"""PyMongo's exceptions in our words. Theirs repeat documents and keys, so nothing of them is passed on."""

from collections.abc import Iterator
from contextlib import contextmanager

from bson.errors import BSONError
from pydantic import ValidationError
from pymongo.errors import DocumentTooLarge, OperationFailure, PyMongoError

from hip.domain.errors import InvalidValue, StorageFailed

# Seconds. The driver looks for a lost server each half second and gives up searching in step with that, so a client
# closed then is just connecting, and PyMongo 4.20 leaks the socket of a connect that is cancelled.
SETTLES_WITHIN = 0.05

# BSONObjectTooLarge, and what an update says that would make a document too large.
_TOO_LARGE = frozenset({10334, 17419, 17420})


@contextmanager
def translated() -> Iterator[None]:
    """Raises StorageFailed for whatever another try may cure, InvalidValue for what cannot be stored or read."""
    try:
        yield
    except DocumentTooLarge:
        raise InvalidValue("document", "at most 16 MiB") from None
    except OperationFailure as failure:
        if failure.code in _TOO_LARGE:
            raise InvalidValue("document", "at most 16 MiB") from None
        raise StorageFailed(f"MongoDB refused (code {failure.code})") from None
    except (PyMongoError, OSError):
        raise StorageFailed("MongoDB did not answer") from None
    except (BSONError, UnicodeEncodeError):
        raise InvalidValue("document", "text that MongoDB can hold") from None
    except ValidationError:
        raise InvalidValue("document", "the fields this service writes") from None

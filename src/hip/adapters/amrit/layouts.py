"""A hospital's database that is not laid out as it must be is told from one that does not answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from hip.domain.errors import InvalidValue

# Unknown column; no right to a table, a column; no such table; a view whose tables changed under it.
_MYSQL = frozenset({1054, 1142, 1143, 1146, 1356})
_POSTGRES = (
    "42"  # SQLSTATE class "syntax error or access rule violation": undefined table or column, no right, wrong type
)


@contextmanager
def fitting(what: str, columns: Sequence[str], remedy: str) -> Iterator[None]:
    """Raises InvalidValue that names ``what`` and the columns it must have, when it is missing, unreadable or other."""
    try:
        yield
    except TooFewColumns as short:
        raise InvalidValue(what, _expected(columns, remedy) + f"; it has {short.found} columns") from None
    except DBAPIError as error:
        if not _misshapen(error):
            raise
        raise InvalidValue(what, _expected(columns, remedy)) from None


class TooFewColumns(Exception):
    """A result set that can be read neither by name nor by position."""

    def __init__(self, found: int) -> None:
        super().__init__(f"{found} columns")
        self.found = found


def _expected(columns: Sequence[str], remedy: str) -> str:
    return f"to be there and readable, with the columns {', '.join(columns)}, {remedy}"


def _misshapen(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_POSTGRES)
    arguments: tuple[object, ...] = getattr(error.orig, "args", ())
    return not _MYSQL.isdisjoint(arguments[:1])

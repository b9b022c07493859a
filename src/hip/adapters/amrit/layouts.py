"""A hospital's database that is not laid out as it must be is told from one that does not answer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hip.domain.errors import InvalidValue, StorageFailed

# Unknown column; no right to a table, a column; no such table; a view whose tables changed under it; no such routine,
# other arguments, no right to it.
_MYSQL = frozenset({1054, 1142, 1143, 1146, 1356, 1305, 1318, 1370})
# SQLSTATE class "syntax error or access rule violation": undefined table or column, no right, wrong type.
_POSTGRES = "42"
# Too many connections; no room or memory; shutting down; read only; killed.
_MYSQL_AWAY = frozenset({1040, 1021, 1037, 1041, 1053, 1077, 1078, 1079, 1290, 1836, 1927, 3169})
_POSTGRES_AWAY = ("08", "53", "57P", "58")


@contextmanager
def fitting(what: str, columns: Sequence[str], remedy: str) -> Iterator[None]:
    """Raises InvalidValue that names ``what`` and the columns it must have, when it is missing, unreadable or other."""
    try:
        yield
    except TooFewColumns as short:
        raise InvalidValue(what, _expected(columns, remedy) + f"; it has {short.found} columns") from None
    except DBAPIError as error:
        if not misshapen(error):
            raise
        raise InvalidValue(what, _expected(columns, remedy)) from None


class TooFewColumns(Exception):
    """A result set that can be read neither by name nor by position."""

    def __init__(self, found: int) -> None:
        super().__init__(f"{found} columns")
        self.found = found


@contextmanager
def answering() -> Iterator[None]:
    """Raises StorageFailed without a word of the statement: it may name people."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise StorageFailed(f"the hospital's database does not answer ({type(error).__name__})") from None


def error_code(error: BaseException) -> int | str:
    """MySQL's number or PostgreSQL's SQLSTATE: all of an error that may be written down. Empty if it has none."""
    cause = getattr(error, "orig", None) or error
    arguments: tuple[object, ...] = getattr(cause, "args", ())
    if arguments and isinstance(arguments[0], int):
        return arguments[0]
    state = getattr(cause, "sqlstate", None)
    return state if isinstance(state, str) else ""


def misshapen(error: BaseException) -> bool:
    code = error_code(error)
    return code in _MYSQL if isinstance(code, int) else code.startswith(_POSTGRES)


def is_away(error: BaseException) -> bool:
    """Whether the server, and not this one statement, is at fault."""
    code = error_code(error)
    if isinstance(code, int):
        away = code in _MYSQL_AWAY or 2000 <= code < 3000  # the second: what the driver itself says of a connection
    else:
        away = not code or code.startswith(_POSTGRES_AWAY)
    return away or bool(getattr(error, "connection_invalidated", False))


def _expected(columns: Sequence[str], remedy: str) -> str:
    return f"to be there and readable, with the columns {', '.join(columns)}, {remedy}"

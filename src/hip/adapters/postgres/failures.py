"""What the server's failures mean to the application. No statement, parameter or key value gets through."""

from collections.abc import Generator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hip.application.storage import StatementRefused
from hip.domain.errors import Conflict, DomainError, NotFound, StorageFailed

# SQLSTATE classes of a server that cannot serve now: connection, authorisation, catalog, transaction state, rollback
# (serialisation, deadlock), resources, lock timeouts, operator intervention (shutdown, cancel), system and internal.
_TRANSIENT_CLASSES = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58", "XX"})
_SCHEMA_BEHIND = frozenset({"42P01", "42703", "42883", "3F000"})

# While a connection is being ended by the server, asyncpg refuses to use it with the last of these.
GONE = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""How it shows that a connection, or the server, is not there."""

FAILED = (SQLAlchemyError, asyncpg.PostgresError, *GONE)
"""Everything that a statement may fail with; for those whom it does not concern why."""


def _broken_constraint(name: str | None) -> DomainError | None:
    """The domain's word for a constraint; None for one that no correct program breaks."""
    match name:
        case "fk_pages_transfer":
            return NotFound("transfer", "of these pages")
        case "pk_attempts":
            return Conflict("a REQUEST-ID belongs to another attempt")
        case _:
            return None


@contextmanager
def translated() -> Generator[None]:
    """Raises StorageFailed for a server that does not answer, a DomainError for a broken constraint.

    Whatever else the server refuses is a bug: StatementRefused, naming only the SQLSTATE.
    """
    try:
        yield
    except IntegrityError as error:
        cause = getattr(error.orig, "__cause__", None)
        known = _broken_constraint(getattr(cause, "constraint_name", None))
        raise known or _bug(error) from None
    except DBAPIError as error:
        raise _meaning(error) from None
    except (PoolTimeout, *GONE):
        raise StorageFailed("the database does not answer") from None
    except asyncpg.PostgresError as error:
        raise _meaning(error) from None
    except SQLAlchemyError as error:
        raise RuntimeError(f"a statement cannot be run: {type(error).__name__}") from None


def _meaning(error: DBAPIError | asyncpg.PostgresError) -> Exception:
    state = _sqlstate(error)
    if state is None:  # the connection went away before the server could say anything
        return StorageFailed("the connection to the database broke off")
    if state in _SCHEMA_BEHIND:
        return StorageFailed("the database schema is missing or older than this program: run `hip db upgrade`")
    if state[:2] in _TRANSIENT_CLASSES:
        return StorageFailed(f"the database could not serve (SQLSTATE {state})")
    return _bug(error)


def _bug(error: DBAPIError | asyncpg.PostgresError) -> StatementRefused:
    return StatementRefused(f"the database refused a statement (SQLSTATE {_sqlstate(error)})")


def _sqlstate(error: DBAPIError | asyncpg.PostgresError) -> str | None:
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return state if isinstance(state, str) else None

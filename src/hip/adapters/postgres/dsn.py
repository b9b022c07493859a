"""Any common spelling of a PostgreSQL address, made into the one SQLAlchemy and asyncpg understand."""

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from hip.domain.errors import InvalidValue

_SCHEMES = ("postgres", "postgresql", "postgresql+asyncpg")


def engine_url(dsn: str, *, field: str = "HIP_DATABASE_URL") -> URL:
    """``postgres://``, ``postgresql://`` or ``postgresql+asyncpg://``; ``?host=FOLDER`` names a Unix socket's folder.

    libpq's ``sslmode`` is what asyncpg calls ``ssl``. Raises InvalidValue, without the address: it may hold a password.
    """
    try:
        url = make_url(dsn)
    except (ArgumentError, ValueError):
        raise InvalidValue(field, "an address such as postgresql://user@host:5432/database") from None
    if url.drivername not in _SCHEMES:
        raise InvalidValue(field, "an address that begins with postgresql://")
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)

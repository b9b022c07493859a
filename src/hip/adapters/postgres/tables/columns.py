"""How columns are spelt, and the MetaData that every table but the trigger table belongs to.

``hip_id`` leads every key and every index that serves one HIP. ``sequence`` numbers rows by insertion, so that rows of
one instant have an order. Times are UTC.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Column, Identity, Integer, LargeBinary, MetaData, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP

METADATA = MetaData()


def text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def whole(name: str, *, null: bool = False, default: str | None = None) -> Column[int]:
    return Column(name, Integer, nullable=null, server_default=default)


def flag(name: str, *, key: str | None = None) -> Column[bool]:
    return Column(name, Boolean, key=key or name, nullable=False)


def moment(name: str, *, null: bool = False) -> Column[datetime]:
    return Column(name, TIMESTAMP(timezone=True), nullable=null)


def sealed(name: str, *, null: bool = False) -> Column[bytes]:
    """Only what the key vault sealed."""
    return Column(name, LargeBinary, nullable=null)


def sequence() -> Column[int]:
    return Column("sequence", BigInteger, Identity(always=True), nullable=False)

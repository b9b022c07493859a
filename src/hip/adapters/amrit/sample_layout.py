"""A small database of AMRIT's shape: the trigger table, a table behind each result set, and its view and routine."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Index, MetaData, Numeric, String, Table, create_mock_engine
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.result_sets import ALL, KEY, LAB_RESULTS, Argument, ResultSet
from hip.adapters.amrit.tables import trigger_table

_TYPES: dict[str, type[TypeEngine[Any]]] = {"int": BigInteger, "time": DateTime}


def _columns(result_set: ResultSet) -> Iterator[tuple[str, TypeEngine[Any]]]:
    for column in result_set.columns:
        name, _, kind = column.partition(":")
        yield name, Numeric(9, 2) if kind == "number" else _TYPES[kind]() if kind else String(750)


def source_table(result_set: ResultSet, metadata: MetaData, schema: str | None) -> Table:
    """A table that holds one result set's columns; AMRIT itself joins several."""
    columns: list[Any] = [Column(name.lower(), made) for name, made in _columns(result_set)]
    if result_set is LAB_RESULTS:
        columns.append(Index("ix_lab_created", "createddate"))
    return Table(
        result_set.table,
        metadata,
        Column("row_id", BigInteger, primary_key=True, autoincrement=True),
        Column(KEY, BigInteger, nullable=False, index=True),
        *columns,
        schema=schema,
    )


def small_database(names: AmritNames, dialect: str) -> MetaData:
    """The trigger table and the tables behind every result set."""
    metadata = MetaData()
    trigger_table(names, dialect, metadata)
    for result_set in ALL:
        source_table(result_set, metadata, names.schema)
    return metadata


def views(names: AmritNames) -> Iterator[str]:
    """The statements that make the views; the same in both dialects."""
    for result_set in ALL:
        columns = ", ".join((*result_set.names, KEY))
        view, table = (names.qualified(name) for name in (names.views + result_set.name, result_set.table))
        yield f"CREATE VIEW {view} AS SELECT {columns} FROM {table}"  # noqa: S608 - names of the settings


def routines(names: AmritNames, dialect: str) -> Iterator[str]:
    """The statements that make the routines: on MySQL procedures with the OUT parameters that AMRIT's own have."""
    for result_set in ALL:
        routine, table = (names.qualified(name) for name in (names.routines + result_set.name, result_set.table))
        given = [f"{each.value}_IN bigint" for each in result_set.takes]
        key = Argument.VISIT if Argument.VISIT in result_set.takes else Argument.PATIENT
        rows = (
            f"SELECT {', '.join(result_set.names)} FROM {table} "  # noqa: S608 - names of the settings
            f"WHERE {KEY} = {key.value}_IN ORDER BY row_id"
        )
        if dialect == "mysql":
            inward = [f"IN {each}" for each in given]
            outward = [f"OUT {name}_OUT {_sql(kind, dialect)}" for name, kind in _columns(result_set)]
            yield f"CREATE PROCEDURE {routine}({', '.join([*inward, *outward])}) READS SQL DATA {rows}"
        else:
            columns = ", ".join(f"{name.lower()} {_sql(kind, dialect)}" for name, kind in _columns(result_set))
            head = f"CREATE FUNCTION {routine}({', '.join(given)}) RETURNS TABLE ({columns})"
            yield f"{head} LANGUAGE sql STABLE AS $${rows}$$"


def _sql(kind: TypeEngine[Any], dialect: str) -> str:
    return kind.compile(dialect=mysql.dialect() if dialect == "mysql" else postgresql.dialect())  # type: ignore[no-untyped-call]


def script(names: AmritNames, dialect: str) -> str:
    """Everything above as one SQL script."""
    statements: list[str] = []

    def write(statement: Any, *_: Any, **__: Any) -> None:
        compiled = statement.compile(dialect=engine.dialect) if not isinstance(statement, str) else statement
        statements.append(" ".join(str(compiled).split()))

    engine = create_mock_engine("mysql+asyncmy://" if dialect == "mysql" else "postgresql+asyncpg://", write)
    small_database(names, dialect).create_all(engine, checkfirst=False)
    return ";\n".join([*statements, *views(names), *routines(names, dialect)]) + ";\n"

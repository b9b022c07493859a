"""How each routine is called: its arguments as the database itself declares them.

AMRIT's procedures take (patient), (visit) or both, and then OUT parameters that nobody reads: their number is not the
same in every release. So it is asked of information_schema, once.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from hip.adapters.amrit.names import AmritNames
from hip.adapters.amrit.result_sets import ALL, Argument, ResultSet
from hip.domain.errors import InvalidValue

REMEDY = "as `hip source schema` prints it"
_DECLARED = """
SELECT LOWER(r.routine_name) AS routine, r.specific_name AS variant,
       p.parameter_mode AS mode, p.parameter_name AS name, p.data_type AS type
FROM information_schema.routines r
LEFT JOIN information_schema.parameters p
  ON p.specific_schema = r.routine_schema AND p.specific_name = r.specific_name AND p.ordinal_position > 0
WHERE r.routine_schema = :schema AND r.routine_type = :kind AND LOWER(r.routine_name) IN :routines
ORDER BY p.ordinal_position
"""
_TYPE = re.compile(r"[a-z][a-z ]*\Z")


@dataclass(frozen=True, slots=True)
class Call:
    """One result set's call: a statement with a parameter ``a0``, ``a1``, … for each of ``arguments``."""

    routine: str
    result_set: ResultSet
    statement: TextClause
    arguments: tuple[Argument, ...]

    def values(self, given: Mapping[Argument, int | None]) -> dict[str, int | None]:
        return {f"a{place}": given[argument] for place, argument in enumerate(self.arguments)}

    def misfit(self, found: int | None = None) -> InvalidValue:
        """The error that says what this routine must be like; ``found``: how many columns it has instead."""
        columns, given = ", ".join(self.result_set.names), ", ".join(each.value for each in self.result_set.takes)
        short = "" if found is None else f"; it has {found} columns"
        expected = f"to be there and executable, to take ({given}) and to give the columns {columns}, {REMEDY}{short}"
        return InvalidValue(f"routine {self.routine}", expected)


async def calls(connection: AsyncConnection, names: AmritNames, *, mysql: bool) -> list[Call]:
    """In the order of the result sets. Raises InvalidValue for a routine that is missing or takes anything else."""
    declared = await _declared(connection, names, mysql=mysql)
    return [_call(each, declared.get(names.routines.lower() + each.name, {}), names, mysql=mysql) for each in ALL]


async def _declared(
    connection: AsyncConnection, names: AmritNames, *, mysql: bool
) -> dict[str, dict[str, list[RowMapping]]]:
    """By name of the routine, then by variant (PostgreSQL lets several share a name): its parameters in order."""
    asked = text(_DECLARED).bindparams(bindparam("routines", expanding=True))
    values: dict[str, Any] = {
        "kind": "PROCEDURE" if mysql else "FUNCTION",
        "routines": [names.routines.lower() + each.name for each in ALL],
    }
    if names.schema:
        values["schema"] = names.schema
    else:
        own = "SELECT DATABASE()" if mysql else "SELECT current_schema()"
        values["schema"] = (await connection.execute(text(own))).scalar_one()
    found: dict[str, dict[str, list[RowMapping]]] = defaultdict(lambda: defaultdict(list))
    for row in (await connection.execute(asked, values)).mappings():
        found[row["routine"]][row["variant"]].append(row)
    return found


def _call(
    result_set: ResultSet, variants: Mapping[str, Sequence[RowMapping]], names: AmritNames, *, mysql: bool
) -> Call:
    routine = names.qualified(names.routines + result_set.name)
    parameters = next(iter(variants.values()), [])
    for each in variants.values():
        if sum(row["mode"] == "IN" for row in each) == len(result_set.takes):
            parameters = each
    arguments: list[Argument | None] = []
    placed: list[str] = []
    for row in parameters:
        if row["mode"] == "IN":
            place = len(arguments)
            arguments.append(_argument(row["name"], result_set, place))
            placed.append(f":a{place}" if mysql else f"CAST(CAST(:a{place} AS bigint) AS {_type(row['type'])})")
        elif mysql:
            placed.append(f"@hip_{len(placed)}")
    verb = "CALL" if mysql else "SELECT * FROM"
    call = Call(routine, result_set, text(f"{verb} {routine}({', '.join(placed)})"), tuple(filter(None, arguments)))
    if not arguments or None in arguments:
        raise call.misfit()
    return call


def _argument(name: str | None, result_set: ResultSet, place: int) -> Argument | None:
    """By what the parameter is called, or else by its place."""
    called = (name or "").lower()
    if "visit" in called:
        return Argument.VISIT
    if "ben" in called:
        return Argument.PATIENT
    return result_set.takes[place] if place < len(result_set.takes) else None


def _type(declared: str | None) -> str:
    """PostgreSQL picks a function by the types it is given; a hospital may have declared integer or text."""
    return declared if declared is not None and _TYPE.match(declared) else "bigint"

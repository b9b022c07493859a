"""What is wrong with a visit file, as a field and what was expected there; never the value that was found."""

import re
from typing import Any

import msgspec
from msgspec import inspect

from hip.adapters.visit_records.structs import VisitRecord
from hip.domain.errors import InvalidValue

_AT = re.compile(r" - at `(.*)`\Z", re.DOTALL)
_NAMED = re.compile(r"Object (missing required|contains unknown) field `(.*?)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_PLAIN: dict[type[inspect.Type], str] = {
    inspect.FloatType: "a number",
    inspect.IntType: "a whole number",
    inspect.BoolType: "true or false",
    inspect.StrType: "text",
    inspect.DateType: "a date as YYYY-MM-DD",
    inspect.DateTimeType: "a time with its UTC offset, such as 2026-03-12T10:05:00+05:30",
    inspect.BytesType: "a file in base64",
    inspect.VarTupleType: "a list",
    inspect.StructType: "an object",
}


def fault_of(error: msgspec.ValidationError) -> InvalidValue:
    """The same fault in the words of the visit record, naming the field by its dotted path."""
    message = str(error)
    at = _AT.search(message)
    path = at.group(1).removeprefix("$") if at else ""
    named = _NAMED.match(message)
    if named is not None:
        path = f"{path}.{named.group(2)}"
        if named.group(1) == "contains unknown":
            return InvalidValue(path.removeprefix("."), "only the keys that `hip visits schema` lists")
    wanted = _expected_at(path)
    return InvalidValue(path.removeprefix(".") or "visit record", wanted + (", which is required" if named else ""))


def _expected_at(path: str) -> str:
    found: inspect.Type = inspect.type_info(VisitRecord)
    for name, _index in _STEP.findall(path):
        found = _inner(found)
        if isinstance(found, inspect.StructType) and name:
            found = next(each.type for each in found.fields if each.encode_name == name)
        elif isinstance(found, inspect.VarTupleType):
            found = found.item_type
    return _words(found)


def _inner(found: inspect.Type) -> inspect.Type:
    """Without its metadata and, when it may be null, without the null."""
    while isinstance(found, inspect.Metadata):
        found = found.type
    if isinstance(found, inspect.UnionType):
        held = [each for each in found.types if not isinstance(each, inspect.NoneType)]
        if len(held) == 1:
            return _inner(held[0])
    return found


def _words(found: inspect.Type) -> str:
    found = _inner(found)
    if isinstance(found, inspect.UnionType):
        return " or ".join(_words(each) for each in found.types if not isinstance(each, inspect.NoneType))
    if isinstance(found, inspect.EnumType):
        return "one of " + ", ".join(str(member.value) for member in _members(found.cls))
    return _PLAIN.get(type(found), "another type of value")


def _members(enum: Any) -> list[Any]:
    return list(enum)

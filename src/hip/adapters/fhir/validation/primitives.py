"""The primitive types of FHIR R4: which JSON value each takes and which texts are legal."""

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

from hip.adapters.fhir.validation.base64_text import is_base64

Legal = Callable[[object], bool]

_MAX_TEXT = 1024 * 1024
_MAX_INTEGER = 2**31 - 1

_ZONE = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_DATE = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01]))?)?", re.ASCII)
_DATE_TIME = re.compile(rf"(\d{{4}})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T{_CLOCK}{_ZONE})?)?)?", re.ASCII)
_INSTANT = re.compile(rf"(\d{{4}})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T{_CLOCK}{_ZONE}", re.ASCII)
_TIME = re.compile(_CLOCK, re.ASCII)
_CODE = re.compile(r"[^\s\ud800-\udfff]+(?:[\s][^\s\ud800-\udfff]+)*", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WHITE = re.compile(r"\s", re.ASCII)
# Tab, line feed and carriage return are the only control characters a FHIR string may hold; half a surrogate pair is
# no character at all and cannot be written as UTF-8.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_HALF = re.compile(r"[\ud800-\udfff]")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:|#")


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitive:
    """A primitive type: ``json`` is the JSON type it is written in, ``form`` the legal texts in words."""

    name: str
    json: str
    form: str
    legal: Legal

    def has_type(self, value: object) -> bool:
        """True when the JSON type is right, whatever the text."""
        match self.json:
            case "true or false":
                return type(value) is bool
            case "a number":
                return type(value) in (int, float)
            case _:
                return type(value) is str


def _boolean(value: object) -> bool:
    return type(value) is bool


def _integer(value: object) -> bool:
    return type(value) is int and -_MAX_INTEGER - 1 <= value <= _MAX_INTEGER


def _unsigned(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_INTEGER


def _positive(value: object) -> bool:
    return type(value) is int and 1 <= value <= _MAX_INTEGER


def _decimal(value: object) -> bool:
    return type(value) is int or (type(value) is float and isfinite(value))


def _string(value: object) -> bool:
    if type(value) is not str or not value or len(value) > _MAX_TEXT:
        return False
    return (value.isprintable() or not _CONTROL.search(value)) and not value.isspace()


def _uri(value: object) -> bool:
    if type(value) is not str or not value or _WHITE.search(value):
        return False
    if value.startswith("urn:uuid:"):
        return _UUID.fullmatch(value) is not None
    if value.startswith("urn:oid:"):
        return _OID.fullmatch(value) is not None
    return not value.startswith(("uuid:", "oid:")) and not _CONTROL.search(value)


def _canonical(value: object) -> bool:
    """Canonical URLs are absolute (R4 references), except for the fragment of a contained resource."""
    return _uri(value) and _ABSOLUTE.match(str(value)) is not None


def _matching(pattern: re.Pattern[str]) -> Legal:
    def legal(value: object) -> bool:
        return type(value) is str and pattern.fullmatch(value) is not None

    return legal


def _dated(pattern: re.Pattern[str]) -> Legal:
    """Texts of ``pattern`` whose day exists in its month and whose year is not 0000."""

    def legal(value: object) -> bool:
        if type(value) is not str:
            return False
        match = pattern.fullmatch(value)
        if match is None:
            return False
        year, month, day = match.groups()
        if year == "0000":
            return False
        return day is None or day <= "28" or int(day) <= monthrange(int(year), int(month))[1]

    return legal


def _base64(value: object) -> bool:
    return type(value) is str and value != "" and is_base64(value)


def _xhtml(value: object) -> bool:
    return type(value) is str and value != "" and (value.isascii() or not _HALF.search(value))


_TEXT = "a JSON string"

PRIMITIVES = {
    primitive.name: primitive
    for primitive in (
        Primitive(name="boolean", json="true or false", form="true or false, without quotes", legal=_boolean),
        Primitive(
            name="integer", json="a number", form="a whole number from -2147483648 to 2147483647", legal=_integer
        ),
        Primitive(name="unsignedInt", json="a number", form="a whole number from 0 to 2147483647", legal=_unsigned),
        Primitive(name="positiveInt", json="a number", form="a whole number from 1 to 2147483647", legal=_positive),
        Primitive(name="decimal", json="a number", form="a number, without quotes", legal=_decimal),
        Primitive(name="string", json=_TEXT, form="text, not blank, without control characters", legal=_string),
        Primitive(name="markdown", json=_TEXT, form="text, not blank, without control characters", legal=_string),
        Primitive(
            name="code",
            json=_TEXT,
            form="a code: no space before or after it, single spaces within",
            legal=_matching(_CODE),
        ),
        Primitive(name="id", json=_TEXT, form="1 to 64 of the characters A-Z a-z 0-9 - .", legal=_matching(_ID)),
        Primitive(
            name="uri",
            json=_TEXT,
            form="a URI without spaces; urn:uuid: with a lower-case UUID, urn:oid: with a dotted OID",
            legal=_uri,
        ),
        Primitive(name="url", json=_TEXT, form="a URL without spaces", legal=_uri),
        Primitive(name="canonical", json=_TEXT, form="an absolute URL without spaces", legal=_canonical),
        Primitive(name="oid", json=_TEXT, form="urn:oid: and a dotted OID", legal=_matching(_OID)),
        Primitive(name="uuid", json=_TEXT, form="urn:uuid: and a lower-case UUID", legal=_matching(_UUID)),
        Primitive(name="date", json=_TEXT, form="YYYY, YYYY-MM or YYYY-MM-DD, a day that exists", legal=_dated(_DATE)),
        Primitive(
            name="dateTime",
            json=_TEXT,
            form="YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDThh:mm:ss with a zone such as +05:30",
            legal=_dated(_DATE_TIME),
        ),
        Primitive(
            name="instant",
            json=_TEXT,
            form="YYYY-MM-DDThh:mm:ss with seconds and a zone such as +05:30",
            legal=_dated(_INSTANT),
        ),
        Primitive(name="time", json=_TEXT, form="hh:mm:ss", legal=_matching(_TIME)),
        Primitive(name="base64Binary", json=_TEXT, form="base64 text", legal=_base64),
        Primitive(name="xhtml", json=_TEXT, form="XHTML in a div", legal=_xhtml),
    )
}

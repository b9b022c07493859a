"""Read a document's JSON, refusing what readers would silently bend: repeated keys, NaN, broken UTF-8, deep nesting."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from hip.adapters.fhir.validation.findings import Finding, json_type

# A FHIR document nests some twenty levels; far more is an attack on recursive readers.
MAX_DEPTH = 100
MAX_BYTES = 64 * 1024 * 1024

# An escaped surrogate, of a pair or alone; only texts that have one are looked through.
_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile(r"[\ud800-\udfff]")

_BOM = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """The content is no document; ``finding`` says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule)
        self.finding = finding


def read_document(
    content: bytes | bytearray | str | Mapping[str, Any], *, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """The JSON object in ``content``. Raises Unreadable; never keeps more than the text and its tree in memory."""
    tree = content if isinstance(content, Mapping) else _parsed(_text(content, max_bytes))
    if not isinstance(tree, dict):
        if isinstance(tree, Mapping):
            tree = dict(tree)
        else:
            raise Unreadable(_syntax(f"{json_type(tree)} at the top", "a JSON object", "put the Bundle at the top"))
    _refuse_depth(tree)
    return tree


def _text(content: bytes | bytearray | str, max_bytes: int) -> str:
    if len(content) > max_bytes:
        raise Unreadable(
            Finding(
                "document-size",
                "Bundle",
                found=f"{len(content)} bytes",
                expected=f"at most {max_bytes} bytes",
                message="the document is larger than this validator reads",
                fix="shrink or split the attachments, or raise the limit",
            )
        )
    if content[:3] == _BOM or content[:1] == _BOM.decode():
        raise Unreadable(
            _syntax("a byte order mark before the JSON", "JSON from the first byte", "save it as UTF-8 without a BOM")
        )
    if isinstance(content, str):
        if not content.isascii() and _HALF.search(content):
            raise Unreadable(_half())
        return content
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(
            _syntax(f"byte {error.start} is no UTF-8", "UTF-8 text", "save the document as UTF-8")
        ) from None


def _parsed(text: str) -> Any:
    repeated: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        tree = dict(pairs)
        if len(tree) != len(pairs):
            repeated.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        return tree

    try:
        tree = json.loads(text, object_pairs_hook=members, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise Unreadable(
            _syntax(f"line {error.lineno}, column {error.colno}: {error.msg}", "JSON", "correct the JSON there")
        ) from None
    except RecursionError:
        raise Unreadable(_too_deep()) from None
    except ValueError:
        raise Unreadable(_syntax("a number with thousands of digits", "JSON numbers", "correct the number")) from None
    if _ESCAPED.search(text) and _has_half(tree):
        raise Unreadable(_half())
    if repeated:
        raise Unreadable(
            Finding(
                "json-duplicate-key",
                "Bundle",
                found=", ".join(name[:40] for name in repeated[:5]),
                expected="each name once in an object",
                message="an object has the same name twice, so readers see different documents",
                fix="keep one of them",
            )
        )
    return tree


def _no_constant(name: str) -> NoReturn:
    raise Unreadable(_syntax(name, "JSON numbers", "JSON has no NaN and no Infinity: leave the element out"))


def _refuse_depth(tree: dict[str, Any]) -> None:
    """Level by level, so that no document can exhaust the stack of the checks, which recurse."""
    level: list[Any] = [tree]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            for child in (item.values() if type(item) is dict else item)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return
    raise Unreadable(_too_deep())


def _has_half(tree: Any) -> bool:
    """Whether half a surrogate pair stands in a name or a text: JSON can escape it, but no UTF-8 can hold it."""
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if not item.isascii() and _HALF.search(item):
                return True
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False


def _half() -> Finding:
    return _syntax("half a surrogate pair", "Unicode text", "write the character whole, or leave it out")


def _too_deep() -> Finding:
    return Finding(
        "json-depth",
        "Bundle",
        found=f"more than {MAX_DEPTH} levels",
        expected=f"at most {MAX_DEPTH} levels",
        message="the document is nested too deeply",
        fix="remove the nesting: no FHIR document needs it",
    )


def _syntax(found: str, expected: str, fix: str) -> Finding:
    return Finding(
        "json-syntax", "Bundle", found=found, expected=expected, message="this is no JSON of a FHIR document", fix=fix
    )

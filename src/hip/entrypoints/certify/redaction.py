"""Bodies as evidence shows them: every name, of values only kind and length, unless the contract fixes the value."""

import json
import re
from typing import Any

SAID = frozenset(
    {
        "accessMode",
        "authenticationType",
        "code",
        "communicationMedium",
        "count",
        "cryptoAlg",
        "curve",
        "hiStatus",
        "hiType",
        "hiTypes",
        "intent",
        "matchedBy",
        "media",
        "pageCount",
        "pageNumber",
        "schemaVersion",
        "sessionStatus",
        "status",
        "type",
        "unit",
    }
)
"""Members whose values are codes, counts or states: they tell nothing of a person."""

_HARMLESS = re.compile(r"[A-Za-z0-9 .,_/-]{0,60}")


def redacted(value: Any, name: str = "") -> Any:
    """The same shape: texts become ``text(12)``, numbers ``number``; what is in ``SAID`` stays."""
    if isinstance(value, dict):
        return {key: redacted(part, key) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(part, name) for part in value]
    if value is None or isinstance(value, bool):
        return value
    if name in SAID and _HARMLESS.fullmatch(str(value)):
        return value
    if isinstance(value, str):
        return f"text({len(value)})"
    return "number"


def as_lines(value: Any) -> str:
    """Indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2)

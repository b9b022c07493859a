"""Callbacks read by the v3 reader, and what it refuses."""

import json
from typing import Any

import pytest

from hip.adapters.gateway.callbacks import V3CallbackReader
from hip.domain.errors import InvalidValue

read = V3CallbackReader().read


def refusal(path: str, body: bytes) -> InvalidValue:
    with pytest.raises(InvalidValue) as raised:
        read(path, body)
    return raised.value


def as_json(body: Any) -> bytes:
    return json.dumps(body).encode()

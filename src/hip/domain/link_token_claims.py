"""What a link token itself says it is bound to, beside what it was asked for (LINK-01, contract §2.1).

The token is a JWT that only the gateway can verify; its claims are read all the same, for a token of somebody else must
never be used. The set of claims is not published and was seen to change, so each is looked for under the names that
were met, and one that is absent, or is no such value, contradicts nothing.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hip.domain.identifiers import AbhaAddress, AbhaNumber, HipId

_HIP = ("hipId", "hip_id")
_REQUESTER = ("requesterId",)
_FACILITY = re.compile(r"IN[0-9]{10}\Z", re.IGNORECASE)
"""A requester may also be named by its client id, which is no facility's."""

_ADDRESS = ("abhaAddress", "abha_address", "healthId", "patientId", "sub")
_NUMBER = ("abhaNumber", "abha_number", "healthIdNumber", "patientId", "sub")


def claims_of(jwt: str) -> Mapping[str, Any]:
    """The claims, unverified; empty for what is no JWT. Never raises."""
    parts = jwt.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def expiry_of(jwt: str) -> datetime | None:
    """``exp`` in UTC; None when the token states none that can be read."""
    claimed = claims_of(jwt).get("exp")
    if isinstance(claimed, bool) or not isinstance(claimed, int | float):
        return None
    try:
        return datetime.fromtimestamp(claimed, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def contradiction(jwt: str, *, hip_id: HipId, abha_address: AbhaAddress, abha_number: AbhaNumber | None) -> str | None:
    """ABDM-1063, 1038 or 1062 when the token names another HIP, ABHA address or ABHA number; None when it does not.

    A number in the token is no contradiction when none was sent: the gateway knows it from the address.
    """
    claims = claims_of(jwt)
    hips = [*_texts(claims, _HIP), *(text for text in _texts(claims, _REQUESTER) if _FACILITY.match(text))]
    if any(claimed.casefold() != hip_id.casefold() for claimed in hips):
        return "ABDM-1063"
    addresses = [claimed for claimed in _texts(claims, _ADDRESS) if "@" in claimed]
    if any(claimed.casefold() != str(abha_address).casefold() for claimed in addresses):
        return "ABDM-1038"
    numbers = [digits for claimed in _texts(claims, _NUMBER) if (digits := _fourteen(claimed))]
    if abha_number is not None and any(digits != str(abha_number) for digits in numbers):
        return "ABDM-1062"
    return None


def _texts(claims: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        claimed = claims.get(name)
        if isinstance(claimed, str | int) and not isinstance(claimed, bool) and str(claimed).strip():
            yield str(claimed).strip()


def _fourteen(claimed: str) -> str | None:
    digits = claimed.replace("-", "").replace(" ", "")
    return digits if len(digits) == 14 and digits.isascii() and digits.isdigit() else None

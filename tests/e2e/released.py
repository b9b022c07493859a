"""What a requester holds against what it may hold, told from the artefact alone by somebody who never saw our code.

The clerk below reads the artefact as the gateway issued it, the dates that were asked for, and the list of records
that the hospital handed over. Pages are opened by RFC 7748's ladder, and the first of each transfer by ``abdm-ecdh`` as
well, which takes ten times as long.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from abdm_ecdh.utils import aes_gcm_decrypt, compute_shared_secret, derive_aes_key, derive_iv_and_salt

from hip.entrypoints.sandbox.views import SealedTransfer

Json = dict[str, Any]
_P = 2**255 - 19
_SHIFT = 486662 * pow(3, -1, _P) % _P
Held = tuple[str, str]
"""Care context and SHA-256 of what was read of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One bundle as it is stored: of which care context, of which kind, from when, and its SHA-256."""

    context: str
    kind: str
    at: datetime
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for data: ``since`` and ``until`` are the dates in it."""

    consent_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Clerk:
    """``shelves``: every record that the hospital has, by care context."""

    shelves: Mapping[str, tuple[Record, ...]]

    def takes(self, artefact: Json, asked: Asked) -> bool:
        """Whoever asks for more days than were granted gets nothing."""
        granted = artefact["permission"]["dateRange"]
        return _moment(granted["from"]) <= asked.since <= asked.until <= _moment(granted["to"])

    def hands_over(self, artefact: Json, asked: Asked) -> dict[str, set[str]]:
        """The SHA-256 of each record that may be held, by care context; a context of the artefact may have none."""
        named = [context["careContextReference"] for context in artefact["careContexts"]]
        if not self.takes(artefact, asked):
            return {context: set() for context in named}
        kinds = set(artefact["hiTypes"])
        return {
            context: {
                record.sha256
                for record in self.shelves.get(context, ())
                if record.kind in kinds and asked.since <= record.at <= asked.until
            }
            for context in named
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What came: each record once, how often each page number came, and what could not be opened."""

    held: set[Held] = field(default_factory=set)
    arrivals: Counter[int] = field(default_factory=Counter)
    unreadable: int = 0


def opened(sealed: SealedTransfer) -> Opened:
    """Open every page with the requester's own key."""
    found, arrivals, unreadable = set[Held](), Counter[int](), 0
    for number, raw in enumerate(sealed.pages):
        page = json.loads(raw)
        arrivals[page["pageNumber"]] += 1
        sent = page["keyMaterial"]
        shared = _shared(sealed.private_key, sent["dhPublicKey"]["keyValue"])
        assert number or shared == compute_shared_secret(sealed.private_key, sent["dhPublicKey"]["keyValue"])
        iv, salt = derive_iv_and_salt(sent["nonce"], sealed.nonce)
        key = derive_aes_key(shared, salt)
        for entry in page["entries"]:
            try:
                content = aes_gcm_decrypt(key, iv, base64.b64decode(entry["content"]))
            except Exception:  # noqa: BLE001 - whatever it is, the requester cannot read it
                unreadable += 1
                continue
            found.add((entry["careContextReference"], hashlib.sha256(content).hexdigest()))
    return Opened(held=found, arrivals=arrivals, unreadable=unreadable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One row of the decision records. ``page`` is set for those about a page."""

    sequence: int
    at: datetime
    stage: str
    consent_id: str
    transaction_id: str | None
    page: int | None
    lets_go: bool

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> "Answer":
        lines = json.loads(row["results"])
        about = [line for record in json.loads(row["records"]) for line in record["results"]]
        return cls(
            sequence=row["sequence"],
            at=row["at"],
            stage=row["stage"],
            consent_id=row["consent_id"],
            transaction_id=row["transaction_id"],
            page=row["page"],
            lets_go=bool(lines) and all(line["verdict"] != "refuse" for line in (*lines, *about)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The decision records and rows of one transfer, and the record that its consent ended (None: it did not).

    ``came_after_the_end``, as the audit has it: what the consent had named was forgotten then.
    """

    row: Mapping[str, Any]
    answers: tuple[Answer, ...]
    delivered_at: Mapping[int, datetime]
    end: Answer | None
    came_after_the_end: bool

    @property
    def ended(self) -> int | None:
        """The number of the end."""
        return None if self.end is None else self.end.sequence

    def permitted(self) -> Counter[int]:
        """How often the gate let each page go."""
        return Counter(one.page for one in self.answers if one.page is not None and one.lets_go)

    def stopped(self) -> bool:
        """Whether the gate said no after the consent had ended."""
        ended = self.ended
        return ended is not None and any(one.sequence > ended and not one.lets_go for one in self.answers)

    def faults(self) -> Iterable[str]:
        """What the records show that may never be."""
        for one in self.answers:
            if one.page is None:
                continue
            if one.lets_go and self.ended is not None and one.sequence > self.ended:
                yield f"page {one.page} was started after the consent had ended"
            delivered = self.delivered_at.get(one.page)
            if delivered is not None and one.at > delivered:
                yield f"page {one.page} was started again after it had been delivered"


def _shared(private_key: str, public_key: str) -> str:
    """The x that both reach. On the curve of the contract it is u of Curve25519, moved (contract §3.2)."""
    x = int.from_bytes(base64.b64decode(public_key)[-64:-32], "big")
    u = _ladder(int.from_bytes(base64.b64decode(private_key), "big"), (x - _SHIFT) % _P)
    return base64.b64encode(((u + _SHIFT) % _P).to_bytes(32, "big")).decode()


def _ladder(scalar: int, u: int) -> int:
    """RFC 7748, section 5, for any scalar: nothing is clamped."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for bit in f"{scalar:b}":
        if bit == "1":
            x2, x3, z2, z3 = x3, x2, z3, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % _P, b * b % _P, d * a % _P, c * b % _P
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % _P, u * (da - cb) ** 2 % _P
        x2, z2 = aa * bb % _P, e * (aa + 121665 * e) % _P
        if bit == "1":
            x2, x3, z2, z3 = x3, x2, z3, z2
    return x2 * pow(z2, -1, _P) % _P


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)

"""The append-only audit (AUD-01), one hash chain per HIP (AUD-02).

Entry ``n`` of a HIP has the digest

    digest(n) = SHA-256( digest(n-1), 32 bytes | n, 8 bytes big-endian | SHA-256(content(n)), 32 bytes )

where digest(0) is 32 zero bytes and content(n) are the canonical bytes of ``AuditEntry.canonical``. Whoever has one
digest that was kept elsewhere (an anchor) can therefore prove everything up to that entry.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from hip.domain.identifiers import HipId

GENESIS = "0" * 64
"""What the first entry of a chain follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to which thing. ``subject`` is an id of ours or the gateway's, never a name, phone or ABHA.

    ``detail`` holds states, codes and counts. ``at`` is UTC.
    """

    hip_id: HipId
    at: datetime
    actor: str
    action: str
    subject: str
    detail: tuple[tuple[str, str], ...] = ()

    def canonical(self) -> bytes:
        """The JSON array ``[hipId, at, actor, action, subject, [[name, value], …]]``, without spaces, in ASCII.

        Other characters are written ``\\uXXXX``; ``at`` is UTC with six decimals, as 2026-03-12T04:55:30.123456Z.
        """
        at = self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        content = [self.hip_id, at, self.actor, self.action, self.subject, [list(pair) for pair in self.detail]]
        return json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return hashlib.sha256(self.canonical()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLink:
    """An entry in its place: ``sequence`` counts from 1 without gaps; ``previous`` and ``digest`` are hex."""

    entry: AuditEntry
    sequence: int
    previous: str
    digest: str

    @property
    def head(self) -> "AuditHead":
        """The chain as it was when this link was its last."""
        return AuditHead(hip_id=self.entry.hip_id, sequence=self.sequence, digest=self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLink:
    """The first place where a chain does not hold."""

    hip_id: HipId
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The end of a chain, or an anchor: what the digest of entry ``sequence`` was. An empty chain has sequence 0."""

    hip_id: HipId
    sequence: int = 0
    digest: str = GENESIS

    def append(self, entry: AuditEntry) -> AuditLink:
        """The link that follows. The entry is of this HIP."""
        sequence = self.sequence + 1
        digest = hashlib.sha256(bytes.fromhex(self.digest) + sequence.to_bytes(8, "big") + entry.fingerprint)
        return AuditLink(entry=entry, sequence=sequence, previous=self.digest, digest=digest.hexdigest())

    def broken_by(self, link: AuditLink) -> BrokenLink | None:
        """Why ``link`` cannot be the one that follows; None when it does."""
        expected = self.sequence + 1
        if link.sequence > expected:
            return self._broken(expected, f"entries {expected} to {link.sequence - 1} are missing")
        if link.sequence < expected or link.entry.hip_id != self.hip_id:
            return self._broken(link.sequence, "the entry stands in another's place")
        if link.previous != self.digest:
            return self._broken(expected, "the entry does not follow the one before it")
        if link != self.append(link.entry):
            return self._broken(expected, "the entry was changed")
        return None

    def contradicting(self, kept: "AuditHead") -> BrokenLink | None:
        """Why a chain that ends here contradicts what was ``kept`` of it earlier; None when it does not."""
        if self.sequence < kept.sequence:
            return self._broken(self.sequence + 1, f"entries {self.sequence + 1} to {kept.sequence} are missing")
        if self.sequence == kept.sequence and self.digest != kept.digest:
            return self._broken(self.sequence, "the chain was written anew up to here")
        return None

    def beyond(self, noted: "AuditHead") -> BrokenLink | None:
        """Why a chain that ends here has more than was ``noted`` since; None when it has not."""
        if self.sequence > noted.sequence:
            return self._broken(noted.sequence + 1, "the entry was added beside the chain")
        return None

    def _broken(self, sequence: int, reason: str) -> BrokenLink:
        return BrokenLink(hip_id=self.hip_id, sequence=sequence, reason=reason)

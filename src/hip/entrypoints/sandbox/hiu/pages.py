"""A pushed page as an HIU demands it, kept sealed (contract §2.11)."""

from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from hip.entrypoints.sandbox.moments import read_moment

Short = Annotated[str, msgspec.Meta(max_length=50, min_length=1)]  # one system in production cuts these at 50


class PublicKey(msgspec.Struct, rename="camel"):
    """The HIP's key: raw or X.509, base64."""

    expiry: str
    key_value: Annotated[str, msgspec.Meta(max_length=500, min_length=1)]
    parameters: Short | None = None


class KeyMaterial(msgspec.Struct, rename="camel"):
    """The HIP's half of the agreement."""

    crypto_alg: Short
    curve: Short
    dh_public_key: PublicKey
    nonce: Short


class SealedEntry(msgspec.Struct, rename="camel"):
    """``content`` is base64 of ciphertext and tag; ``link`` is not read by any known HIU."""

    content: Annotated[str, msgspec.Meta(min_length=1)]
    media: str
    care_context_reference: Annotated[str, msgspec.Meta(min_length=1)]
    checksum: str = ""


class PageBody(msgspec.Struct, rename="camel"):
    """The body of a push."""

    page_number: int
    page_count: Annotated[int, msgspec.Meta(ge=1)]
    transaction_id: Annotated[str, msgspec.Meta(min_length=1)]
    entries: Annotated[list[SealedEntry], msgspec.Meta(min_length=1)]
    key_material: KeyMaterial


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it lies in the HIU's store: still sealed."""

    transaction_id: str
    number: int
    count: int
    contexts: tuple[str, ...]
    raw: bytes = field(repr=False)
    authorization: bool = False

    def body(self) -> PageBody:
        """Read again what was checked on arrival."""
        return msgspec.json.decode(self.raw, type=PageBody)


class BadPage(ValueError):
    """A page an HIU answers 400; the text names the field."""


def read_page(raw: bytes, *, authorization: bool) -> Page:
    """Check a push. Raises BadPage for a missing field, a wrong type, or an expiry that is no ISO time."""
    try:
        body = msgspec.json.decode(raw, type=PageBody)
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        raise BadPage(str(problem)) from None
    try:
        read_moment(body.key_material.dh_public_key.expiry)
    except ValueError:
        raise BadPage("keyMaterial.dhPublicKey.expiry is no ISO time") from None
    if body.key_material.crypto_alg.upper() != "ECDH" or body.key_material.curve.casefold() != "curve25519":
        raise BadPage("keyMaterial is not ECDH over Curve25519")
    if body.page_number not in range(body.page_count + 1):
        raise BadPage("pageNumber is above pageCount")
    contexts = tuple(dict.fromkeys(entry.care_context_reference for entry in body.entries))
    return Page(body.transaction_id, body.page_number, body.page_count, contexts, raw, authorization)

"""One page as the requester reads it (contract §2.11)."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from hip.application.ports import PushedPage
from hip.domain.errors import InvalidValue
from hip.domain.key_material import KeyMaterial

MEDIA = "application/fhir+json"


def body(page: PushedPage, *, first_page: int) -> bytes:
    """UTF-8 JSON of ``page``, whose number counts from 1 and is written as counting from ``first_page`` (PUSH-09).

    Raises InvalidValue when contents, checksums and references are not equally many.
    """
    contents = page.sealed.contents
    if not len(contents) == len(page.checksums) == len(page.references):
        raise InvalidValue("entries", "one checksum and one care context for each content")
    links = page.links or (None,) * len(contents)
    if len(links) != len(contents):
        raise InvalidValue("entries", "a link or none for each content")
    entries = [
        {
            **({"content": content} if link is None else {"link": link}),
            "media": MEDIA,
            "checksum": checksum,
            "careContextReference": reference,
        }
        for content, link, checksum, reference in zip(contents, links, page.checksums, page.references, strict=True)
    ]
    return msgspec.json.encode(
        {
            "pageNumber": page.number - 1 + first_page,
            "pageCount": page.page_count,
            "transactionId": page.transaction_id,
            "entries": entries,
            "keyMaterial": _key_material(page.sealed.key_material),
        }
    )


def _key_material(material: KeyMaterial) -> dict[str, Any]:
    if material.expires_at is None:
        raise InvalidValue("keyMaterial.dhPublicKey.expiry", "a date and time")
    return {
        "cryptoAlg": material.algorithm,
        "curve": material.curve,
        "dhPublicKey": {
            "expiry": _timestamp(material.expires_at),
            "parameters": material.parameters,
            "keyValue": material.public_key,
        },
        "nonce": material.nonce,
    }


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

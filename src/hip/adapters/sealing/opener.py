"""The requester's side: opening what a HIP sealed. Used by ``hip fidelius decrypt`` and by the tests."""

from hip.adapters.sealing.encodings import decode_base64, decode_integer, decode_nonce, decode_point
from hip.adapters.sealing.envelope import ContentUnreadable, Envelope
from hip.adapters.sealing.ephemeral import shared_secret
from hip.domain.key_material import SealedPage


def open_content(content: bytes, *, shared: bytes, sender_nonce: bytes, receiver_nonce: bytes) -> bytes:
    """The plaintext of one ciphertext and tag. Raises ContentUnreadable.

    The 32-byte secret is tried first; where it begins with zeros, then the form of senders that drop them
    (contract §3.5).
    """
    padded = Envelope.between(shared=shared, sender_nonce=sender_nonce, receiver_nonce=receiver_nonce)
    try:
        return padded.open(content)
    except ContentUnreadable:
        stripped = shared.lstrip(b"\x00")
        if stripped == shared:
            raise
    envelope = Envelope.between(shared=stripped, sender_nonce=sender_nonce, receiver_nonce=receiver_nonce)
    return envelope.open(content)


def open_page(page: SealedPage, *, private_key: str, nonce: str) -> tuple[bytes, ...]:
    """The plaintexts of a page, in order, for the holder of the requester's key and nonce.

    ``private_key`` is base64 of a big-endian integer and ``nonce`` base64 of 32 bytes, as fidelius-cli prints them.
    Raises KeyMaterialRefused for keys, nonces or base64 that are none, ContentUnreadable for what does not open.
    """
    sent = page.key_material
    peer = decode_point(sent.public_key, field="keyMaterial.dhPublicKey.keyValue")
    shared = shared_secret(decode_integer(private_key, field="private key"), peer)
    sender_nonce = decode_nonce(sent.nonce, field="keyMaterial.nonce")
    receiver_nonce = decode_nonce(nonce, field="nonce")
    return tuple(
        open_content(
            decode_base64(content, field=f"entries[{index}].content"),
            shared=shared,
            sender_nonce=sender_nonce,
            receiver_nonce=receiver_nonce,
        )
        for index, content in enumerate(page.contents)
    )

"""The body of ``POST /v1/visits``: whole, or cut into lines that are gathered while they come."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE

from hip.application.gathering import Gathered

MAX_VISIT = 32 * 1024 * 1024
"""A visit with scanned documents in base64."""

PAUSE = 0.05
"""Seconds: when nothing came for so long, what was gathered is stored. A slow stream must not wait for its end."""


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    """Raises ClientException (413) for more than MAX_VISIT."""
    held = bytearray()
    async for chunk in chunks:
        _grow(held, chunk)
    return bytes(held)


async def gathered_lines(chunks: AsyncIterator[bytes]) -> AsyncGenerator[Gathered[int]]:
    """Lines that are not empty, with their numbers from 1, as many at a time as are stored together.

    While what was given out is being stored, one chunk is read and no more: the sender waits. Raises ClientException
    (413) for a line above MAX_VISIT, after what came before it was given out.
    """
    gathered: Gathered[int] = Gathered()
    held, number = bytearray(), 0
    refusal: ClientException | None = None
    coming = asyncio.ensure_future(_next(chunks))
    try:
        while refusal is None:
            done, _ = await asyncio.wait({coming}, timeout=PAUSE if gathered.records else None)
            if not done:
                yield gathered
                gathered = Gathered()
                continue
            chunk = coming.result()
            if chunk is None:
                break
            coming = asyncio.ensure_future(_next(chunks))
            *ended, rest = chunk.split(b"\n")
            try:
                for piece in ended:
                    _grow(held, piece)
                    number += 1
                    if held.strip():
                        gathered.add(number, bytes(held))
                    held.clear()
                    if gathered.full:
                        yield gathered
                        gathered = Gathered()
                _grow(held, rest)
            except ClientException as too_large:
                refusal = too_large
        if refusal is None and held.strip():
            gathered.add(number + 1, bytes(held))
        if gathered.records:
            yield gathered
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
    if refusal is not None:
        raise refusal


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


def _grow(held: bytearray, piece: bytes) -> None:
    if len(held) + len(piece) > MAX_VISIT:
        raise ClientException(
            f"body: expected at most {MAX_VISIT} bytes a visit", status_code=HTTP_413_REQUEST_ENTITY_TOO_LARGE
        )
    held += piece

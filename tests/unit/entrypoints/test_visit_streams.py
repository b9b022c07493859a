"""Lines of a stream are gathered into batches of bounded size, wherever they are cut and however slowly they come."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar.exceptions import ClientException

from hip.application.intake import AT_ONCE, BYTES_AT_ONCE
from hip.entrypoints.http.visit_streams import MAX_VISIT, gathered_lines

_lines = st.lists(st.sampled_from([b"", b" ", b"{}", b"one", b"x" * 50]), max_size=450)


async def _chunks(body: bytes, edges: list[int]) -> AsyncIterator[bytes]:
    for start, end in pairwise([0, *sorted(edge % (len(body) + 1) for edge in edges), len(body)]):
        yield body[start:end]


@settings(max_examples=60, deadline=None)
@given(_lines, st.lists(st.integers(0, 30_000), max_size=9))
def test_every_line_comes_once_under_its_number(lines: list[bytes], edges: list[int]) -> None:
    async def story() -> None:
        batches = [batch async for batch in gathered_lines(_chunks(b"\n".join(lines), edges))]
        found = [one for batch in batches for one in zip(batch.places, batch.records, strict=True)]
        assert found == [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        assert all(0 < len(batch.records) <= AT_ONCE for batch in batches)
        assert len(batches) <= len(found) // AT_ONCE + 1

    asyncio.run(story())


def test_a_line_that_nothing_follows_is_given_out_before_the_stream_ends() -> None:
    async def story() -> None:
        more = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"first\nsec"
            await more.wait()
            yield b"ond\n"

        batches = gathered_lines(slow())
        assert (await anext(batches)).records == [b"first"]
        more.set()
        assert [batch.records async for batch in batches] == [[b"second"]]

    asyncio.run(story())


def test_no_more_than_one_chunk_is_read_ahead_and_no_more_than_a_batch_is_held() -> None:
    line = b"x" * (1024 * 1024 - 1) + b"\n"
    read = 0

    async def large() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(40):
            read += 1
            yield line

    async def story() -> None:
        given_out = 0
        async for batch in gathered_lines(large()):
            await asyncio.sleep(0.01)  # storing takes a while
            given_out += len(batch.records)
            assert batch.size < BYTES_AT_ONCE + len(line)
            assert read <= given_out + 1
        assert given_out == 40

    asyncio.run(story())


def test_what_came_before_a_line_that_is_too_large_is_given_out_first() -> None:
    async def story() -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"first\n"
            yield b"second\n" + b"x" * MAX_VISIT
            yield b"x"
            raise AssertionError("nothing is read after it")

        found: list[bytes] = []

        async def read() -> None:
            async for batch in gathered_lines(body()):
                found.extend(batch.records)

        with pytest.raises(ClientException, match="at most"):
            await read()
        assert found == [b"first", b"second"]

    asyncio.run(story())


def test_a_stream_that_breaks_off_is_told_and_leaves_no_reader_behind() -> None:
    async def story() -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"first\nsec"
            raise ConnectionError

        with pytest.raises(ConnectionError):
            [_ async for _ in gathered_lines(body())]
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not others

    asyncio.run(story())

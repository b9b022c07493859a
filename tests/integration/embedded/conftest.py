"""A data folder that PostgreSQL's account may enter, which pytest's ``tmp_path`` is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers import quick_disk

from hip.entrypoints.embedded.places import fresh_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A fresh data folder."""
    with fresh_folder(inside=quick_disk()) as fresh:
        yield fresh

"""The stand-in for Vault, fresh for each test."""

from collections.abc import Iterator

import pytest
from tests.builders.vault_server import VaultServer, vault_server


@pytest.fixture
def server() -> Iterator[VaultServer]:
    with vault_server() as running:
        yield running

"""What lies in the tables: nothing in plain text that a vault should have sealed."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.builders.consents import a_consent
from tests.builders.conversations import a_callback
from tests.builders.databases import a_postgres_database, connected
from tests.builders.links import HIP, MEERA_ADDRESS, OTHER_HIP, a_link_token
from tests.builders.moments import NOW
from tests.builders.stored_visits import a_stored_visit
from tests.builders.transfers import PUSH_URL, a_transfer

from hip.adapters.key_vault.memory import MemoryKeyVault
from hip.adapters.postgres.tables.columns import METADATA
from hip.adapters.postgres.units import PostgresDatabase
from hip.domain.errors import Unsealable
from hip.domain.identifiers import ConsentId, RequestId, TransactionId, VisitCode

pytestmark = pytest.mark.anyio


async def every_row(url: str) -> Sequence[bytes]:
    """Each row of each table as the server prints it, byte columns unhexed beside."""
    connection = await connected(url)
    printed: list[bytes] = []
    try:
        for table in METADATA.tables:
            for row in await connection.fetch(f"SELECT * FROM {table}"):
                printed += [value if isinstance(value, bytes) else str(value).encode() for value in row.values()]
    finally:
        await connection.close()
    return printed


async def fill(database: PostgresDatabase) -> None:
    async with database.unit() as uow:
        await uow.link_tokens.put(a_link_token(), request_id=RequestId("request-1"), now=NOW)
        await uow.visits.save(a_stored_visit())
        await uow.consents.save(a_consent())
        await uow.transfers.add(a_transfer())
        await uow.transfers.save(a_transfer())
        await uow.callbacks.add(a_callback())
        await uow.commit()


async def test_data_01_no_token_visit_artefact_or_push_address_lies_open(database: PostgresDatabase, url: str) -> None:
    await fill(database)
    lying = await every_row(url)
    assert b"transfer-1" in lying  # the search would find what it looks for
    for secret in (
        a_link_token().value,
        "canary",
        PUSH_URL,
        "Meera Kulkarni",
        "Paracetamol",
        "91123456789012",
        a_transfer().request.key_material.public_key,
        "IN0510000001",
    ):
        found = [value for value in lying if secret.encode() in value]
        allowed = 1 if secret == "91123456789012" else 0  # generate_token_response.abha_number, for LINK-03
        assert len(found) == allowed, secret


async def test_a_sealed_value_opens_only_where_it_was_put(database: PostgresDatabase, url: str) -> None:
    """The context names table, HIP and key: a row copied to another HIP or another key does not open."""
    await fill(database)
    connection = await connected(url)
    try:
        await connection.execute("UPDATE visits SET visit_code = '99999'")
        await connection.execute("UPDATE consents SET hip_id = $1", OTHER_HIP)
        await connection.execute("UPDATE data_flow_request SET transaction_id = 'transfer-2'")
        await connection.execute("UPDATE generate_token_response SET request_id = 'request-2'")
    finally:
        await connection.close()
    async with database.unit() as uow:
        with pytest.raises(Unsealable):
            await uow.visits.get(HIP, VisitCode("99999"))
        with pytest.raises(Unsealable):
            await uow.consents.get(OTHER_HIP, ConsentId("consent-1"))
        with pytest.raises(Unsealable):
            await uow.transfers.get(HIP, TransactionId("transfer-2"))
        with pytest.raises(Unsealable):
            await uow.link_tokens.current(HIP, MEERA_ADDRESS, now=NOW)


async def test_a_removed_artefact_and_a_dropped_token_are_gone_from_the_rows(
    database: PostgresDatabase, url: str
) -> None:
    """RET-01: removed means the bytes, not a flag."""
    await fill(database)
    async with database.unit() as uow:
        await uow.consents.save(a_consent(artefact=None))
        await uow.link_tokens.drop(HIP, MEERA_ADDRESS)
        await uow.callbacks.save(a_callback(sealed_body=None))
        await uow.commit()
    connection = await connected(url)
    try:
        assert await connection.fetchval("SELECT sealed_artefact FROM consents") is None
        assert await connection.fetchval("SELECT link_token FROM generate_token_response") is None
        assert await connection.fetchval("SELECT sealed_body FROM callbacks") is None
    finally:
        await connection.close()


class OpenVault:
    """Seals nothing and notes the contexts: shows the stored form."""

    def __init__(self) -> None:
        self.contexts: list[str] = []

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        self.contexts.append(context)
        return plaintext

    def unseal(self, sealed: bytes, *, context: str) -> bytes:
        assert context in self.contexts
        return sealed


async def test_the_stored_forms_stay_readable_for_later_releases(database: PostgresDatabase, url: str) -> None:
    """A renamed field of the domain would make stored artefacts and requests unreadable; it fails here first."""
    vault = OpenVault()
    open_database = a_postgres_database(url, vault=vault)
    await fill(open_database)
    await open_database.close()
    assert sorted(set(vault.contexts)) == [
        "consents/IN0410000123/consent-1",
        "data_flow_request/IN0410000123/transfer-1",
        "generate_token_response/IN0410000123/request-1",
        "visits/IN0410000123/88120",
    ]
    connection = await connected(url)
    try:
        artefact = json.loads(await connection.fetchval("SELECT sealed_artefact FROM consents"))
        request = json.loads(await connection.fetchval("SELECT health_information_request FROM data_flow_request"))
    finally:
        await connection.close()
    artefact["hi_types"].sort()
    dates = {"start": "2025-05-16T04:55:30.123456Z", "end": "2026-03-13T04:55:30.123456Z"}
    assert artefact == {
        "consent_id": "consent-1",
        "hip_id": "IN0410000123",
        "hiu_id": "IN0510000001",
        "patient": {"text": "meera.k01@sbx"},
        "care_contexts": [{"patient_reference": "PAT-20417", "care_context_reference": "88120"}],
        "hi_types": ["OPConsultation", "Prescription"],
        "unknown_hi_types": 0,
        "purpose": "CAREMGT",
        "access_mode": "VIEW",
        "date_range": dates,
        "data_erase_at": "2026-06-10T04:55:30.123456Z",
        "frequency": ["HOUR", 1, 5],
    }
    assert request == {
        "date_range": dates,
        "data_push_url": PUSH_URL,
        "key_material": {
            "public_key": "BFBVQklU",
            "nonce": "bm9uY2U=",
            "expires_at": "2026-03-13T04:55:30.123456Z",
            "algorithm": "ECDH",
            "curve": "Curve25519",
            "parameters": "Curve25519/32byte random key",
        },
        "requester": "IN0510000001",
    }


async def test_another_vault_cannot_open_anything(database: PostgresDatabase, url: str) -> None:
    await fill(database)
    stranger = a_postgres_database(url, vault=MemoryKeyVault())
    reads: tuple[Any, ...] = (
        lambda uow: uow.visits.get(HIP, VisitCode("88120")),
        lambda uow: uow.consents.get(HIP, ConsentId("consent-1")),
        lambda uow: uow.transfers.get(HIP, TransactionId("transfer-1")),
        lambda uow: uow.link_tokens.current(HIP, MEERA_ADDRESS, now=NOW),
    )
    async with stranger.unit() as uow:
        for read in reads:
            with pytest.raises(Unsealable):
                await read(uow)
    await stranger.close()

"""AUD-01: a change of configuration is in the audit, and no secret of it."""

import asyncio
import json

from tests.builders.edge import settings_in_memory
from tests.builders.links import HIP, OTHER_HIP
from tests.builders.moments import NOW

from hip.adapters.memory.units import MemoryDatabase
from hip.application.audit import CONFIGURED, NoteConfiguration
from hip.application.storage import Listing
from hip.entrypoints.configuration import described, noted
from hip.entrypoints.container import adapters_for
from hip.entrypoints.demo.stages import settings_of
from hip.entrypoints.http.app import create_app
from hip.entrypoints.sandbox.routing import started

CANARIES = {
    "HIP_DATABASE_URL": "postgresql://hip:canary@db/hip",
    "HIP_REDIS_URL": "redis://:canary@redis/0",
    "HIP_CLIENT_SECRET": "canary",
    "HIP_VAULT_URL": "https://vault.example",
    "HIP_VAULT_TOKEN": "canary",
    "HIP_OTP_URL": "https://user:canary@sms.example:8443/send?key=canary",
    "HIP_OTP_HEADERS": json.dumps({"Authorization": "canary"}),
    "HIP_OTP_BODY": json.dumps({"mobile": "{phone}", "key": "canary"}),
    "HIP_API_KEYS": json.dumps([{"name": "hmis", "sha256": "ab" * 32, "hips": ["IN0410000123"]}]),
}


def test_data_02_every_setting_is_described_and_no_secret_is_shown() -> None:
    settings = settings_of(settings_in_memory(**CANARIES))
    shown = described(settings)
    assert set(shown) == {f"HIP_{name.upper()}" for name in type(settings).model_fields}
    assert "canary" not in str(shown)
    assert (shown["HIP_VAULT_TOKEN"], shown["HIP_VAULT_SECRET_ID"]) == ("set", "")
    assert shown["HIP_OTP_URL"] == "https://sms.example:8443/send"
    assert shown["HIP_API_KEYS"] == "hmis abababab for IN0410000123"
    assert shown["HIP_PUSH_PARALLEL"] == "4"


def test_aud_01_a_configuration_is_noted_when_it_changed_and_only_then() -> None:
    async def story() -> None:
        database = MemoryDatabase()
        note = NoteConfiguration(database.unit, lambda: NOW)
        await note([HIP], {"b": "1", "a": "2"})
        await note([HIP, OTHER_HIP], {"a": "2", "b": "1"})
        await note([HIP], {"a": "3", "b": "1"})
        async with database.unit() as uow:
            entries = await uow.audit.list(Listing(hip_id=HIP))
            assert [entry.detail for entry in entries] == [(("a", "3"), ("b", "1")), (("a", "2"), ("b", "1"))]
            assert len(await uow.audit.list(Listing(hip_id=OTHER_HIP))) == 1

    asyncio.run(story())


def test_a_database_that_is_away_does_not_keep_the_service_from_starting() -> None:
    async def story() -> None:
        settings = settings_of(settings_in_memory())
        adapters = adapters_for(settings)
        database = adapters.database()
        assert isinstance(database, MemoryDatabase)
        database.down = True
        await noted(NoteConfiguration(database.unit, lambda: NOW), settings, adapters.facilities())

    asyncio.run(story())


def test_aud_01_the_service_notes_its_configuration_when_it_starts() -> None:
    async def story() -> None:
        settings = settings_of(settings_in_memory())
        adapters = adapters_for(settings)
        async with started(create_app(settings, adapters=adapters)), adapters.database().unit() as uow:
            entries = await uow.audit.list(Listing())
        assert {entry.hip_id for entry in entries} == {facility.hip_id for facility in adapters.facilities().all()}
        assert {(entry.action, entry.actor) for entry in entries} == {(CONFIGURED, "service")}
        assert {dict(entry.detail)["HIP_STORAGE"] for entry in entries} == {"memory"}

    asyncio.run(story())

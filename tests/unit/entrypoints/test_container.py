"""The container: every provider of both adapter sets gives what it promises; wiring faults show here first."""

import asyncio
from pathlib import Path

import pytest
from dependency_injector.providers import Provider
from tests.builders.edge import settings_in_memory

from hip.application.mirrors import NoMirror
from hip.entrypoints.container import adapters_for, opened, use_cases
from hip.entrypoints.demo.stages import settings_of
from hip.entrypoints.setting_faults import SettingsInvalid


def _environment(storage: str, folder: Path) -> dict[str, str]:
    servers = {
        "HIP_DATABASE_URL": "postgresql+asyncpg://postgres@127.0.0.1:1/hip",
        "HIP_MONGO_URL": "mongodb://127.0.0.1:1/",
        "HIP_REDIS_URL": "redis://127.0.0.1:1/0",
        "HIP_KEY_FILE": str(folder / "keys"),
    }
    return settings_in_memory(HIP_STORAGE=storage, **(servers if storage == "server" else {}))


@pytest.mark.parametrize("storage", ["memory", "server"])
def test_every_provider_can_be_called(storage: str, tmp_path: Path):
    async def story() -> None:
        settings = settings_of(_environment(storage, tmp_path))
        adapters = adapters_for(settings)
        uses = use_cases(adapters, settings)
        async with opened(adapters):
            for container in (adapters, uses):
                called = {
                    name: provider()
                    for name, provider in container.providers.items()
                    if isinstance(provider, Provider) and name not in ("transport", "adapters")
                }
                assert all(value is not None for value in called.values()), called
            assert uses.link_visit() is uses.run_rows().handlers["link"]
            assert uses.push_transfer().units == adapters.units()

    asyncio.run(story())


@pytest.mark.parametrize("storage", ["memory", "server"])
@pytest.mark.parametrize("wanted", ["off", "on"])
def test_documents_are_written_in_amrits_form_only_where_it_is_wanted(storage: str, wanted: str, tmp_path: Path):
    settings = settings_of({**_environment(storage, tmp_path), "HIP_AMRIT_DUAL_WRITE": wanted})
    uses = use_cases(adapters_for(settings), settings)
    assert uses.build_bundle().mirrored is (wanted == "on")
    assert isinstance(uses.mirror_visit().mirror, NoMirror) is (wanted == "off")
    assert uses.project().mirror is uses.mirror_visit()


def test_both_adapter_sets_have_the_same_providers(tmp_path: Path):
    memory = adapters_for(settings_of(_environment("memory", tmp_path)))
    server = adapters_for(settings_of(_environment("server", tmp_path)))
    assert set(memory.providers) == set(server.providers)


def test_what_a_set_still_needs_is_named_all_at_once():
    environment = settings_in_memory(HIP_STORAGE="server")
    for name in ("HIP_FACILITIES", "HIP_CLIENT_ID", "HIP_CLIENT_SECRET"):
        del environment[name]
    with pytest.raises(SettingsInvalid) as raised:
        adapters_for(settings_of(environment))
    assert {name for name, _ in raised.value.faults} == {
        "HIP_FACILITIES",
        "HIP_CLIENT_ID",
        "HIP_CLIENT_SECRET",
        "HIP_DATABASE_URL",
        "HIP_MONGO_URL",
        "HIP_REDIS_URL",
    }

"""What can be known of the image and of docker-compose.yml without a Docker engine: they are read, not run."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.house.tree import ROOT

from hip.entrypoints.settings import Settings

STORES, OURS = ("postgres", "mongo", "redis"), ("migrate", "web", "relay", "worker", "source")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def _instructions(stage: int) -> list[tuple[str, str]]:
    """(instruction, rest) of one stage of the Dockerfile, from 0 before the first FROM."""
    joined = re.sub(r"\\\n", " ", "\n".join(x for x in DOCKERFILE.splitlines() if not x.startswith("#")))
    stages: list[list[tuple[str, str]]] = [[]]
    for line in filter(str.strip, joined.splitlines()):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append([])
        stages[-1].append((name, " ".join(rest.split())))
    return stages[stage]


def _first(stage: int, name: str) -> str:
    return next(rest for instruction, rest in _instructions(stage) if instruction == name)


def test_every_service_is_there_and_no_other() -> None:
    assert set(SERVICES) == {*STORES, *OURS}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_contained(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert any(str(place).startswith("/tmp") for place in service["tmpfs"])
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", OURS)
def test_our_processes_get_no_capability_back_and_read_the_env_file(name: str) -> None:
    service = SERVICES[name]
    assert "cap_add" not in service
    assert service["env_file"] == ".env"
    assert service["init"] is True


def test_two_web_processes_two_relays_and_as_many_workers_as_wanted() -> None:
    replicas = {name: SERVICES[name]["deploy"]["replicas"] for name in ("web", "relay", "worker")}
    assert replicas == {"web": 2, "relay": 2, "worker": "${WORKERS:-2}"}
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8080-8081:8080"]


def test_only_who_asks_for_amrit_takes_visits_from_it() -> None:
    """Without its settings that command would end with 2, and be started again for ever."""
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "source": ["amrit"]
    }
    assert SERVICES["source"]["deploy"]["replicas"] > 1
    assert SERVICES["source"]["healthcheck"] == {"disable": True}
    named = set(re.findall(r"^# (HIP_\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"HIP_VISIT_SOURCE", "HIP_AMRIT_URL"} <= named


@pytest.mark.parametrize(
    ("name", "command"),
    [("migrate", "db upgrade"), ("web", "serve"), ("relay", "relay"), ("worker", "worker"), ("source", "source run")],
)
def test_each_process_is_a_command_of_hip(name: str, command: str) -> None:
    from typer.main import get_command

    from hip.entrypoints.cli.main import app

    assert shlex.join(SERVICES[name]["command"]) == command
    found: Any = get_command(app)
    *path, last = command.split()
    for word in path:
        found = found.commands[word]
    # Its options too: what it cannot take ends here as it would end the container, with 2.
    with found.commands[last].make_context(last, []):
        pass


def test_what_operations_says_to_run_in_the_containers_is_a_command_of_hip() -> None:
    from typer.main import get_command

    from hip.entrypoints.cli.main import app

    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    said = re.findall(r"docker compose run --rm (\w+) (.+)", text)
    assert said
    for service, command in said:
        assert service in OURS
        found: Any = get_command(app)
        for word in command.split():
            found = found.commands[word]


KEYS = {
    "build", "cap_add", "cap_drop", "command", "depends_on", "deploy", "env_file", "environment", "healthcheck",
    "image", "init", "logging", "networks", "ports", "profiles", "read_only", "restart", "security_opt", "shm_size",
    "stop_grace_period", "tmpfs", "user", "volumes",
}  # fmt: skip
"""Of a service in the Compose specification; the engine refuses one that it does not know."""


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_nothing_that_the_engine_would_not_know(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= KEYS
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)
    assert set(service.get("healthcheck", {})) <= {
        "test", "interval", "timeout", "start_period", "retries", "disable"
    }  # fmt: skip
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"services", "volumes", "networks"}
    seconds = [service["healthcheck"][key] for key in ("interval", "timeout") if key in service.get("healthcheck", {})]
    assert all(re.fullmatch(r"\d+s", value) for value in seconds)


def test_the_env_file_to_be_filled_in_names_settings_and_what_the_compose_file_asks_for() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", compose))
    assert {name for name in given if not name.startswith("HIP_")} == asked
    fields = {name.removeprefix("HIP_").lower(): value for name, value in given.items() if name.startswith("HIP_")}
    assert set(fields) <= set(Settings.model_fields)
    # As an operator leaves it who fills in what is empty, and runs the containers beside AMRIT.
    ours = {name: value for name, value in given.items() if name.startswith("HIP_") and value}
    ours |= {"HIP_CLIENT_ID": "SBXID_1", "HIP_CLIENT_SECRET": "filled-in"} | SERVICES["source"]["environment"]
    ours["HIP_GATEWAY_URL"] = "https://gateway.example.org/api/hiecm"
    ours["HIP_API_KEYS"] = ours["HIP_API_KEYS"].replace("<SHA-256 of the key in hex>", "ab" * 32)
    filled = {
        name.removeprefix("HIP_").lower(): re.sub(r"\$\{\w+:[^}]*\}", "secret", value).replace("...", "secret")
        for name, value in ours.items()
    }
    settings = Settings.read(_env_file=None, **filled)
    settings.require("facilities", "client_id", "client_secret")
    assert (settings.visit_source, settings.facilities[0].id) == ("amrit", "IN0410000123")


@pytest.mark.parametrize("name", [*STORES, "web"])
def test_stores_and_web_have_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries"} <= set(check)


def test_the_web_is_healthy_when_it_is_ready() -> None:
    from hip.entrypoints.http.health import health_router

    [url] = re.findall(r"'http://127\.0\.0\.1:8080(/[^']*)'", SERVICES["web"]["healthcheck"]["test"][-1])
    assert url in {path for route in health_router.routes for path in [route.path]}
    compile(SERVICES["web"]["healthcheck"]["test"][-1], "healthcheck", "exec")


def test_nothing_of_ours_starts_before_healthy_stores_and_a_finished_migration() -> None:
    healthy = {name: {"condition": "service_healthy"} for name in STORES}
    assert SERVICES["migrate"]["depends_on"] == healthy
    assert SERVICES["migrate"]["restart"] == "no"
    for name in ("web", "relay", "worker", "source"):
        wanted = healthy | {"migrate": {"condition": "service_completed_successfully"}}
        assert SERVICES[name]["depends_on"] == wanted


def test_what_must_last_lies_on_volumes_that_are_declared() -> None:
    mounted = {
        name: {volume.partition(":")[::2] for volume in service.get("volumes", [])}
        for name, service in SERVICES.items()
    }
    used = {source for volumes in mounted.values() for source, _ in volumes}
    assert used == set(COMPOSE["volumes"])
    # From version 18 on the image keeps its data in a folder of the version below this one.
    assert mounted["postgres"] == {("postgres", "/var/lib/postgresql")}
    assert ("mongo", "/data/db") in mounted["mongo"]
    for name in OURS:
        assert mounted[name] == {("keys", str(Path(SERVICES[name]["environment"]["HIP_KEY_FILE"]).parent))}


def test_the_stores_are_reached_by_nobody_else() -> None:
    assert COMPOSE["networks"]["stores"]["internal"] is True
    for name in STORES:
        assert SERVICES[name]["networks"] == ["stores"]
        assert "ports" not in SERVICES[name]


@pytest.mark.parametrize("name", STORES)
def test_images_are_pinned_to_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z]+", SERVICES[name]["image"])


def test_the_settings_of_the_containers_are_settings_that_hold_together() -> None:
    values = {key: re.sub(r"\$\{\w+:[^}]*\}", "secret", value) for key, value in SERVICES["web"]["environment"].items()}
    fields = {key.removeprefix("HIP_").lower(): value for key, value in values.items()}
    assert set(fields) <= set(Settings.model_fields)
    settings = Settings.read(_env_file=None, **fields)
    settings.require()
    assert settings.address == ("0.0.0.0", 8080)


def test_passwords_are_asked_for_and_never_written_down() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"POSTGRES_PASSWORD", "MONGO_PASSWORD", "REDIS_PASSWORD"}
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            assert "PASSWORD" not in key or re.fullmatch(r"\$\{\w+:\?[^}]*\}", value), key


def test_the_image_is_built_in_two_stages_from_a_pinned_base() -> None:
    assert re.fullmatch(r"PYTHON=python:3\.(11|12|13)\.\d+-slim-\w+", _first(0, "ARG"))
    assert _first(1, "FROM") == "${PYTHON} AS build"
    assert _first(2, "FROM") == "${PYTHON}"


def test_the_image_installs_the_servers_lock_with_hashes() -> None:
    runs = [rest for name, rest in _instructions(1) if name == "RUN"]
    assert any("--require-hashes -r requirements/server.txt" in run for run in runs)
    assert any("--no-deps --no-build-isolation ." in run for run in runs)
    assert not re.search(
        r"embedded\.txt|development\.txt|\[embedded\]", "\n".join(f"{a} {b}" for a, b in _instructions(1))
    )


def test_the_image_runs_as_a_fixed_user_who_is_not_root() -> None:
    assert _first(2, "USER") == "10001:10001"
    names = [name for name, _ in _instructions(2)]
    assert "RUN" not in names[names.index("USER") :]


def test_the_image_starts_hip_stops_at_sigterm_and_knows_its_health() -> None:
    assert _first(2, "ENTRYPOINT") == '["hip"]'
    assert _first(2, "STOPSIGNAL") == "SIGTERM"
    assert "/health/live" in _first(2, "HEALTHCHECK")
    assert "urllib.request" in _first(2, "HEALTHCHECK")
    assert _first(2, "VOLUME") == "/var/lib/hip"


def test_the_settings_in_the_image_are_settings_and_no_secrets() -> None:
    given = dict(word.split("=", 1) for word in shlex.split(_first(2, "ENV")))
    names = {name.removeprefix("HIP_").lower() for name in given if name.startswith("HIP_")}
    assert names == {"bind", "key_file"}


def test_the_builder_sees_only_what_the_image_copies() -> None:
    lines = [x for x in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if x and x[0] != "#"]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {word for name, rest in _instructions(1) if name == "COPY" for word in rest.split()[:-1]}
    assert copied == allowed
    assert all((ROOT / path).exists() for path in allowed)

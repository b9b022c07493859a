"""The documents say what the code has: every setting, every dependency, every file they point to."""

import re
from pathlib import Path

import pytest
from tests.unit.house.tree import ROOT, pyproject, texts

from hip.entrypoints.certify.catalogue import cases
from hip.entrypoints.settings import Settings

ADRS = sorted((ROOT / "docs" / "adr").glob("*.md"))
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "MONGO_PASSWORD", "REDIS_PASSWORD", "WORKERS"}
ENVVAR = re.compile(r'envvar="(HIP_[A-Z_]+)"')
DOCUMENTS = sorted(path for path, _ in texts() if path.suffix == ".md")


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def _settings() -> set[str]:
    return {f"HIP_{name.upper()}" for name in Settings.model_fields}


def _assigned(text: str, *, also_commented: bool) -> set[str]:
    return set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=" if also_commented else r"^([A-Z][A-Z_]+)=", text, re.MULTILINE))


def test_every_setting_is_described() -> None:
    table = "\n".join(line for line in _read("docs/configuration.md").splitlines() if line.startswith("| `HIP_"))
    assert set(re.findall(r"`(HIP_[A-Z_]+)`", table)) >= _settings()


def test_no_document_names_a_setting_that_does_not_exist() -> None:
    of_commands = {name for path, text in texts() if path.parts[0] == "src" for name in ENVVAR.findall(text)}
    known = _settings() | of_commands | {"HIP_SOAK_SEED"} | {case.id for case in cases()}
    for document in DOCUMENTS:
        assert set(re.findall(r"\bHIP_[A-Z_]*[A-Z]\b", _read(str(document)))) <= known, document


def _row(setting: str) -> list[str]:
    """The cells of the line that describes a setting."""
    rows = (line.split("|") for line in _read("docs/configuration.md").splitlines() if line.startswith("| `HIP_"))
    return next((row for row in rows if f"`{setting}`" in row[1]), ["", "", ""])


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_stated_default_is_the_default(name: str) -> None:
    default = Settings.model_fields[name].default
    if not isinstance(default, str | int | float | Path) or default == "":
        return  # stated in words
    stated = re.findall(r"`([^`]+)`", _row(f"HIP_{name.upper()}")[2])
    assert any(text == str(default) or _same_number(text, default) for text in stated)


def _same_number(text: str, default: object) -> bool:
    return isinstance(default, int | float) and re.fullmatch(r"[\d.]+", text) is not None and float(text) == default


def test_the_example_names_settings_that_exist() -> None:
    named = _assigned(_read(".env.example"), also_commented=True)
    assert named - COMPOSE_ONLY <= _settings()
    assert named >= COMPOSE_ONLY


def test_the_example_has_what_a_start_requires_and_no_secret() -> None:
    text = _read(".env.example")
    assert {"HIP_CLIENT_ID", "HIP_CLIENT_SECRET", "HIP_FACILITIES"} <= _assigned(text, also_commented=False)
    assert re.search(r"^HIP_CLIENT_SECRET=$", text, re.MULTILINE)
    assert re.search(r"^POSTGRES_PASSWORD=$", text, re.MULTILINE)


def test_the_example_can_be_read_as_settings(tmp_path: Path) -> None:
    values = dict(x.split("=", 1) for x in _read(".env.example").splitlines() if x.startswith("HIP_"))
    fields = {name.removeprefix("HIP_").lower(): value for name, value in values.items()}
    assert [facility.id for facility in Settings.read(_env_file=None, **fields).facilities] == ["IN0410000123"]


def _dependencies() -> set[str]:
    project = pyproject()["project"]
    everything = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    return {re.split(r"[\[<>=!~; ]", dependency, maxsplit=1)[0] for dependency in everything}


def test_every_dependency_is_accounted_for_by_a_decision() -> None:
    decided = "\n".join(path.read_text(encoding="utf-8") for path in ADRS)
    missing = {name for name in _dependencies() if not re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", decided)}
    assert missing == set()


@pytest.mark.parametrize("path", ADRS, ids=lambda path: path.stem)
def test_a_decision_is_short_and_has_its_three_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    number = int(path.stem[:4])
    assert text.startswith(f"# {number}. ")
    assert [f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")] == [True] * 3
    assert len(text.splitlines()) <= 40


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.stem[:4]) for path in ADRS] == list(range(1, len(ADRS) + 1))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", _read(str(document))):
        if "://" not in target:
            assert (ROOT / document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(r"`((?:src|tests|docs|bench|examples|requirements)/[\w./-]+)`", _read(str(document)))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_architecture_shows_every_table_and_port() -> None:
    from hip.adapters.mongo.names import AMRIT, SEED
    from hip.adapters.postgres.names import Names
    from hip.adapters.postgres.schema import METADATA
    from hip.application import ports

    text = _read("docs/architecture.md")
    tables = {*METADATA.tables, Names.called("seed").trigger_table, Names.called("amrit").trigger_table}
    collections = {getattr(names, field) for names in (SEED, AMRIT) for field in names.__slots__}
    protocols = {
        name
        for name, value in vars(ports).items()
        if getattr(value, "_is_protocol", False) and value.__module__ == ports.__name__
    }
    assert "outbox" in tables
    assert "Composer" in protocols
    assert {name for name in tables | collections | protocols if f"`{name}`" not in text} == set()


COMMAND = re.compile(r"^ {4}(?:\S*/)?hip ([a-z][^#&]*)", re.MULTILINE)


def test_every_command_that_is_shown_exists() -> None:
    from typer.main import get_command

    from hip.entrypoints.cli.main import app

    shown = {line.strip() for document in DOCUMENTS for line in COMMAND.findall(_read(str(document)))}
    assert shown
    for line in shown:
        found = get_command(app)
        for word in line.split():
            commands = getattr(found, "commands", None)
            if commands is None:
                break
            assert word in commands, line
            found = commands[word]

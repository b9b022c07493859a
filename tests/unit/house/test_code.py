"""What a reviewer would otherwise say each time."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.house.tree import ROOT, SOURCE, files, imported, modules, pyproject

LONGEST = {"src": 300, "bench": 300, "tests": 470}
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "impl", "misc"}
NOW = {"now", "utcnow", "today"}
CLOCK = Path("src/hip/adapters/clock.py")
SANDBOX = Path("src/hip/entrypoints/sandbox")
SEALING = Path("src/hip/adapters/sealing")
SHARED_BY_ADAPTERS = {
    "amrit_documents",
    "clock",
    "document_shapes",
    "existing_shapes",
    "job_batches",
    "name_scripts",
    "name_spellings",
    "projection_shapes",
    "redis_failures",
}


def test_no_module_of_the_source_is_longer_than_300_lines_and_no_test_than_470() -> None:
    long = {
        str(path): len(lines)
        for folder, longest in LONGEST.items()
        for path, _ in modules(folder)
        if len(lines := (ROOT / path).read_text(encoding="utf-8").splitlines()) > longest
    }
    assert long == {}


def test_modules_and_functions_are_named_after_the_domain() -> None:
    vague = [str(path.relative_to(ROOT)) for path in files() if path.suffix == ".py" and path.stem in VAGUE]
    for path, module in modules("src"):
        named = (n for n in ast.walk(module) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef))
        vague += [f"{path}: {node.name}" for node in named if node.name.lower() in VAGUE]
    assert vague == []


def test_packages_begin_empty() -> None:
    full = [path for path in files() if path.name == "__init__.py" and path.read_text(encoding="utf-8").strip()]
    assert full == []


def _readings_of_the_clock(module: ast.Module) -> Iterator[int]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NOW:
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if name in ("datetime", "date"):
                yield node.lineno


@pytest.mark.parametrize("text", ["datetime.now(UTC)", "dt.datetime.utcnow()", "date.today()"])
def test_a_reading_of_the_clock_is_seen(text: str) -> None:
    assert list(_readings_of_the_clock(ast.parse(text))) == [1]


def test_only_the_clock_adapter_and_the_sandbox_read_the_clock() -> None:
    found = [
        f"{path}:{line}"
        for path, module in modules("src/hip")
        if path != CLOCK and not path.is_relative_to(SANDBOX)
        for line in _readings_of_the_clock(module)
    ]
    assert found == []


def test_the_key_classes_are_imported_by_the_one_module_that_drops_them() -> None:
    found = [
        str(path)
        for path, module in modules("src/hip")
        if any(re.search(r"asymmetric(\.(x25519|x448|ec|dh)\b|\Z)", name) for name in imported(module))
    ]
    assert found == [str(SEALING / "ephemeral.py")]


def test_no_test_replaces_what_it_tests() -> None:
    mocks = ("unittest.mock", "mock", "pytest_mock", "pretend", "flexmock", "respx", "responses", "doublex")
    found: list[str] = []
    for path, module in modules("tests", "bench"):
        found += [f"{path}: {n}" for n in imported(module) if n in mocks or n.startswith(tuple(f"{m}." for m in mocks))]
        found += [
            f"{path}:{node.lineno}: {node.arg}"
            for node in ast.walk(module)
            if isinstance(node, ast.arg) and node.arg in ("monkeypatch", "mocker")
        ]
    assert found == []


def test_the_server_under_the_gpl_is_never_imported() -> None:
    found = [str(p) for p, m in modules("src/hip") if any(n.partition(".")[0] == "secantusdb" for n in imported(m))]
    assert found == []


def _contract(kind: str, name: str) -> dict[str, list[str]]:
    contracts = pyproject()["tool"]["importlinter"]["contracts"]
    found: dict[str, list[str]] = next(c for c in contracts if c["type"] == kind and name in c["name"])
    return found


def _children(package: Path) -> set[str]:
    here = (path for path in package.iterdir() if path.stem != "__init__" and not path.name.startswith("_"))
    return {path.stem for path in here if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))}


def test_every_adapter_is_under_the_independence_contract() -> None:
    modules_held = set(_contract("independence", "Adapters")["modules"])
    assert modules_held == {f"hip.adapters.{name}" for name in _children(SOURCE / "adapters") - SHARED_BY_ADAPTERS}


def test_the_sandbox_is_kept_from_everything_else_of_hip() -> None:
    forbidden = set(_contract("forbidden", "sandbox")["forbidden_modules"])
    others = {f"hip.entrypoints.{name}" for name in _children(SOURCE / "entrypoints") - {"sandbox"}}
    assert forbidden == others | {"hip.domain", "hip.application", "hip.adapters"}

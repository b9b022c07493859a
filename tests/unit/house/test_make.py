"""The two commands and their siblings."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.house.tree import ROOT

TARGETS = ("demo", "test", "lint", "soak", "bench", "lock", "clean", "help")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def _make(*arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("MFLAGS", "PYTHON")}
    command = ("make", "--no-print-directory", *arguments)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def test_make_alone_lists_every_target_with_what_it_does() -> None:
    listed = re.findall(r"^  (\w+) +\S.*$", _make(), re.MULTILINE)
    assert sorted(listed) == sorted(TARGETS)


def test_the_tests_are_run_without_the_soak_and_the_soak_without_the_tests() -> None:
    assert re.search(r"pytest -n 2 -m 'not soak'", _make("--dry-run", "test"))
    soak = _make("--dry-run", "soak", "SEED=7")
    assert re.search(r"seed=7;", soak)
    assert re.search(r"HIP_WAIT_SCALE=0\.01 HIP_SOAK_SEED=\$seed \S+ -m pytest -n 2 -m soak", soak)


def test_a_soak_without_a_seed_says_which_it_took() -> None:
    assert re.search(r"seed=\$\(date \+%s\);.*make soak SEED=\$seed", _make("--dry-run", "soak"))


def test_the_demonstration_installs_the_embedded_servers_only() -> None:
    planned = _make("--dry-run", "demo", "PYTHON=python3.12", "ARGS=--memory")
    assert "PYTHON='python3.12' requirements/install embedded" in planned
    assert "hip demo --memory" in planned


def test_every_benchmark_is_run_and_explained() -> None:
    planned, explained = _make("--dry-run", "bench"), (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    scripts = [p for p in (ROOT / "bench").glob("*.py") if "__main__" in p.read_text(encoding="utf-8")]
    assert scripts
    for script in scripts:
        assert f"bench/{script.name}" in planned
        assert script.name in explained


def test_cleaning_leaves_data_and_keys_alone() -> None:
    assert not re.search(r"\bvar\b|\.env\b", _make("--dry-run", "clean"))


def _ci(folder: Path, recipe: str) -> subprocess.CompletedProcess[str]:
    """``.ci/run`` in a project whose ``make test`` does ``recipe``."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    (folder / "Makefile").write_text(f"test:\n\t@{recipe}\n")
    return subprocess.run(
        (folder / ".ci" / "run",),
        cwd="/",
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


def test_continuous_integration_passes_as_the_tests_pass(tmp_path: Path) -> None:
    done = _ci(tmp_path, "echo work; echo '==== 12 passed in 3.45s ===='")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["work", "==== 12 passed in 3.45s ===="]


def test_continuous_integration_fails_as_the_tests_fail_with_their_closing_line_last(tmp_path: Path) -> None:
    done = _ci(tmp_path, "echo '==== 1 failed, 11 passed in 63.45s (0:01:03) ===='; exit 1")
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == "==== 1 failed, 11 passed in 63.45s (0:01:03) ===="


def test_continuous_integration_waits_for_nobody(tmp_path: Path) -> None:
    done = _ci(tmp_path, "if read -r answer; then echo asked; else echo alone; fi; exit 3")
    assert "alone" in done.stdout
    assert done.returncode != 0

"""The locks install the same bytes everywhere, from whichever index the machine uses."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.house.tree import ROOT, pyproject

LOCKS = ("development", "embedded", "server")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)")


def _lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def _entries(name: str) -> dict[str, str]:
    """Each pinned package with its block of lines, by normal name and version."""
    blocks = re.split(r"\n(?=[A-Za-z0-9])", _lock(name))
    found = {}
    for block in blocks:
        pin = _PIN.match(block)
        assert pin is not None, f"{name}.txt holds a line that pins nothing: {block.splitlines()[0]}"
        found[f"{_normal(pin[1])}=={pin[2]}"] = block
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(requirements: list[str]) -> set[str]:
    return {_normal(re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]) for requirement in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_has_an_exact_version_and_hashes(name: str) -> None:
    for package, block in _entries(name).items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), package


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host(name: str) -> None:
    assert not re.search(
        r"://|--(extra-)?index-url|--find-links|--trusted-host|(^|\s)-[if] ", _lock(name), re.MULTILINE
    )


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_the_build_backend_in_the_version_that_is_asked_for(name: str) -> None:
    for requirement in pyproject()["build-system"]["requires"]:
        assert requirement in _entries(name)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_every_runtime_dependency(name: str) -> None:
    locked = {package.partition("==")[0] for package in _entries(name)}
    assert _names(pyproject()["project"]["dependencies"]) <= locked


def test_the_locks_agree_on_every_version() -> None:
    everything = set(_entries("development"))
    assert set(_entries("embedded")) <= everything
    assert set(_entries("server")) <= everything


def test_the_lock_of_the_image_has_none_of_the_embedded_servers() -> None:
    locked = {package.partition("==")[0] for package in _entries("server")}
    embedded = _names(pyproject()["project"]["optional-dependencies"]["embedded"])
    assert "secantusdb" in embedded
    assert locked & embedded == set()


def test_the_locks_of_demo_and_tests_have_the_embedded_servers() -> None:
    embedded = _names(pyproject()["project"]["optional-dependencies"]["embedded"])
    for name in ("development", "embedded"):
        assert embedded <= {package.partition("==")[0] for package in _entries(name)}


@pytest.mark.parametrize("script", ["requirements/install", "requirements/lock"])
def test_the_scripts_are_posix_shell(script: str) -> None:
    shell = shutil.which("dash") or "/bin/sh"
    subprocess.run((shell, "-n", str(ROOT / script)), check=True)
    assert (ROOT / script).stat().st_mode & 0o111


def _project(folder: Path) -> Path:
    """As much of the project as the installer reads."""
    (folder / "requirements").mkdir()
    for name in ("requirements/install", "requirements/embedded.txt", "requirements/development.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def _install(folder: Path, which: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (folder / "requirements" / "install", which),
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def _python(folder: Path, version: str, name: str = "python", *, venv: bool = True) -> Path:
    """An executable that answers the two questions the installer asks of a Python, and fails at all else."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / name
    python.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        f"*version_info*) echo {version} ;;\n"
        f"*ensurepip*) exit {0 if venv else 1} ;;\n"
        "*) exit 9 ;;\n"
        "esac\n"
    )
    python.chmod(0o755)
    return python


def test_a_python_that_is_too_old_is_refused_by_name(tmp_path: Path) -> None:
    old = _python(tmp_path / "bin", "3.9")
    refused = _install(_project(tmp_path), "embedded", PYTHON=str(old))
    assert refused.returncode == 1
    assert f"PYTHON={old} is Python 3.9; expected 3.11, 3.12 or 3.13" in refused.stderr


def test_a_missing_venv_is_named_with_its_package(tmp_path: Path) -> None:
    bare = _python(tmp_path / "bin", "3.12", venv=False)
    refused = _install(_project(tmp_path), "embedded", PYTHON=str(bare))
    assert refused.returncode == 1
    assert "without venv and ensurepip" in refused.stderr
    assert "python3.12-venv" in refused.stderr


def test_without_any_python_that_fits_the_way_out_is_told(tmp_path: Path) -> None:
    folder = _project(tmp_path)
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        _python(tmp_path / "bin", "3.14", name)
    refused = _install(folder, "embedded", PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert refused.returncode == 1
    assert "no Python 3.11, 3.12 or 3.13" in refused.stderr
    assert "python3 is 3.14" in refused.stderr
    assert "PYTHON=/path/to/python3" in refused.stderr


def _installed(folder: Path, which: str) -> Path:
    """A virtual environment in which everything stands as the locks say, but whose pip would fail."""
    _python(folder / ".venv" / "bin", "3.12")
    lock = (folder / "requirements" / f"{which}.txt").read_text(encoding="utf-8")
    record = folder / ".venv" / f"installed-{which}"
    record.write_text(f"{folder}\n{lock}{(folder / 'pyproject.toml').read_text(encoding='utf-8')}", encoding="utf-8")
    return record


@pytest.mark.parametrize("which", ["embedded", "development"])
def test_nothing_is_done_while_what_is_installed_still_fits(tmp_path: Path, which: str) -> None:
    _installed(_project(tmp_path), which)
    done = _install(tmp_path, which)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_the_tests_need_is_enough_for_the_demonstration(tmp_path: Path) -> None:
    _installed(_project(tmp_path), "development")
    done = _install(tmp_path, "embedded")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("changed", ["requirements/embedded.txt", "pyproject.toml"])
def test_a_change_of_lock_or_project_is_installed(tmp_path: Path, changed: str) -> None:
    record = _installed(_project(tmp_path), "embedded")
    with (tmp_path / changed).open("a") as file:
        file.write("# changed\n")
    tried = _install(tmp_path, "embedded")
    assert "==> Installing" in tried.stdout
    assert "pip could not install requirements/embedded.txt" in tried.stderr
    assert tried.returncode == 1
    assert not record.exists()


def test_what_the_demonstration_needs_is_not_enough_for_the_tests(tmp_path: Path) -> None:
    _installed(_project(tmp_path), "embedded")
    assert "requirements/development.txt" in _install(tmp_path, "development").stdout

"""Nothing in the tree points at a machine or at a package registry, and no data or secret lies in it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.unit.house.tree import ROOT, files, texts

# Spelt apart, so that this file does not hold what it looks for.
REGISTRIES = ("py" + "pi.org", "pythonhosted" + ".org", "registry.npm" + "js.org", "crates" + ".io", "py" + "pi.python")
_MACHINE_PATH = re.compile(r"(?<![\w./~-])/(?:wo" + r"rk/|ro" + r"ot/|ho" + r"me/\w|Us" + r"ers/\w|t" + r"mp/\w)")
_PRIVATE = re.compile("-----BEGIN [A-Z ]*PRI" + "VATE KEY-----")
FORBIDDEN_NAMES = re.compile(
    r"\.env|\.envrc|\.DS_Store|id_rsa.*|.* .*"
    r"|.*\.(keys?|pem|p12|pfx|kdbx|sqlite3?|db|log|orig|rej|bak|swp|pyc|whl|ipynb)"
)


def test_no_file_has_a_name_that_does_not_belong_here() -> None:
    assert [str(path.relative_to(ROOT)) for path in files() if FORBIDDEN_NAMES.fullmatch(path.name)] == []


@pytest.mark.parametrize("name", [".env", "hip.keys", "server.pem", "notes.bak", "a copy.py", "data.sqlite3"])
def test_such_names_are_seen(name: str) -> None:
    assert FORBIDDEN_NAMES.fullmatch(name)


def test_no_file_names_a_package_registry() -> None:
    assert [(str(p), host) for p, text in texts() for host in REGISTRIES if host in text] == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert [(str(p), found[0]) for p, text in texts() if (found := _MACHINE_PATH.search(text))] == []


@pytest.mark.parametrize("text", ["cd /wo" + "rk/main", '"/ro' + 'ot/x"', "=/ho" + "me/asha", "(/t" + "mp/x)"])
def test_such_paths_are_seen(text: str) -> None:
    assert _MACHINE_PATH.search(text)


@pytest.mark.parametrize("text", ["https://hospital.example/home/page", "src/work/x", "tmpfs: [/tmp]", "~/home/x"])
def test_other_paths_are_not(text: str) -> None:
    assert not _MACHINE_PATH.search(text)


def test_no_file_holds_a_private_key() -> None:
    assert [str(path) for path, text in texts() if _PRIVATE.search(text)] == []


@pytest.mark.parametrize("name", [".env", "var/hip.keys", ".venv/bin/python"])
def test_git_ignores_what_must_not_be_committed(name: str) -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git, or not a clone")
    ignored = subprocess.run(("git", "check-ignore", "--quiet", name), cwd=ROOT, check=False)
    assert ignored.returncode == 0


def test_every_text_file_is_utf8_and_ends_with_a_line() -> None:
    ragged = [
        str(path)
        for path, text in texts()
        if text and path.suffix in {".py", ".md", ".toml", ".yml", ".yaml", ".sh"} and not text.endswith("\n")
    ]
    assert ragged == []


def test_scripts_can_be_run() -> None:
    for script in (".ci/run", "requirements/install", "requirements/lock"):
        assert Path(ROOT / script).stat().st_mode & 0o111, script

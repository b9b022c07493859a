"""fidelius-cli itself: the jar that the package ``pyfidelius`` carries, run by whatever Java is installed."""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

_DRIVER = Path(__file__).with_name("FideliusCalls.java")
_SEPARATOR = "----- end of call -----"

Call = Sequence[str]


@cache
def _found() -> tuple[str, str] | str:
    """(java, class path), or the reason why the jar cannot be run."""
    java = shutil.which("java")
    if java is None:
        return "no `java` on the PATH"
    package = importlib.util.find_spec("pyfidelius")
    if package is None or package.origin is None:
        return "the package pyfidelius, which carries the jar, is not installed"
    jars = sorted(Path(package.origin).parent.glob("fidelius-cli-*/lib/*.jar"))
    if not jars:
        return "the package pyfidelius carries no jar"
    return java, ":".join(map(str, jars))


def run_jar(calls: Sequence[Call]) -> list[str]:
    """What fidelius-cli prints for each call, from as few JVM starts as can be.

    Skips the test, loudly, where Java or the jar is missing. With a JDK's compiler one JVM answers all
    calls; a bare JRE needs one start, 0.4 s, for each, and there a call should be ASCII, for Java reads its
    arguments in the locale's encoding.
    """
    found = _found()
    if isinstance(found, str):
        pytest.skip(f"NOT CHECKED AGAINST fidelius-cli: {found}")
    java, class_path = found
    command = [java, "-Dfile.encoding=UTF-8", "-cp", class_path]
    if shutil.which("javac") is None:
        single = [*command, "com.mgrm.fidelius.FideliusApplication"]
        return [_output([*single, *call]) for call in calls]
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as file:
        file.write("".join("\t".join(call) + "\n" for call in calls))
        file.flush()
        printed = _output([*command, str(_DRIVER), file.name, _SEPARATOR])
    return [answer.removeprefix("\n") for answer in printed.split(_SEPARATOR)[:-1]]


def _output(command: Sequence[str]) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

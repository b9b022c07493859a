"""The project's own files, as its tests of the house read them."""

import ast
import os
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "hip"

_NOT_OURS = {"__pycache__", "var", "dist", "node_modules"}
_NOT_TEXT = {".gz", ".tgz", ".png", ".jpg", ".jpeg", ".pdf", ".jar", ".class", ".bin", ".zip"}


@cache
def pyproject() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@cache
def files() -> tuple[Path, ...]:
    """Every file that belongs to the project, caches and data left out; works without git."""
    found: list[Path] = []
    for folder, names, here in os.walk(ROOT):
        top = Path(folder) == ROOT
        names[:] = [n for n in names if n not in _NOT_OURS and (not n.startswith(".") or (top and n == ".ci"))]
        found += [
            Path(folder, name) for name in here if name not in (".env", ".git") and not name.startswith(".coverage")
        ]
    return tuple(sorted(found))


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file with its content, the path from the root of the project."""
    for path in files():
        if path.suffix not in _NOT_TEXT:
            content = path.read_bytes()
            if b"\0" not in content:
                yield path.relative_to(ROOT), content.decode("utf-8")


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Python files below the folders, parsed; the path from the root of the project."""
    for path in files():
        relative = path.relative_to(ROOT)
        if path.suffix == ".py" and any(relative.is_relative_to(folder) for folder in folders):
            yield relative, ast.parse(path.read_text(encoding="utf-8"))


def imported(module: ast.Module) -> Iterator[str]:
    """The dotted name of everything a module imports, at any depth: ``from a import b`` gives ``a.b``."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)

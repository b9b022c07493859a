"""A compiled guide: base R4 and every profile, as ``hip ig compile`` wrote them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hip.adapters.fhir.validation.compiling.guide_file import compiled_content
from hip.domain.errors import InvalidValue

Node = Mapping[str, Any]

R4 = "http://hl7.org/fhir/StructureDefinition/"
SHIPPED = Path(__file__).parent / "definitions" / "ndhm.in-6.5.0.json.gz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A type of base R4 (``base`` is None) or a profile on one. ``root`` is the number of its root node."""

    url: str
    type: str
    kind: str
    abstract: bool
    root: int
    base: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """Profiles by canonical URL, their rules as numbered nodes, invariants and value sets.

    A value set is ``{system: codes}``, the name of a rule (``mime-type``, ``currency``), or None when only a
    terminology server could list it.
    """

    packages: tuple[tuple[str, str], ...]
    profiles: Mapping[str, Profile] = field(repr=False)
    nodes: tuple[Node, ...] = field(repr=False)
    invariants: tuple[tuple[str, str, str], ...] = field(repr=False)
    value_sets: Mapping[str, Mapping[str, frozenset[str]] | str | None] = field(repr=False)

    def of_type(self, name: str) -> Profile | None:
        """The base definition of a type or resource, by its name."""
        return self.profiles.get(R4 + name)

    def is_primitive(self, name: str) -> bool:
        definition = self.of_type(name)
        return definition is not None and definition.kind == "primitive-type"

    def is_resource(self, name: str) -> bool:
        """True for resource types an instance may have; Resource and DomainResource are abstract."""
        definition = self.of_type(name)
        return (
            definition is not None
            and definition.kind == "resource"
            and definition.base is None
            and not definition.abstract
        )

    def lineage(self, url: str) -> Iterator[Profile]:
        """The profile, what it constrains, and so on down to the base type."""
        profile = self.profiles.get(url)
        while profile is not None:
            yield profile
            profile = self.profiles.get(profile.base) if profile.base else None


def read_guide(path: Path) -> Guide:
    """Raises InvalidValue when the file is no compiled guide of this format."""
    content = compiled_content(path)
    try:
        return Guide(
            packages=tuple((name, version) for name, version in content["packages"]),
            profiles={
                url: Profile(
                    url=url,
                    type=facts["type"],
                    kind=facts["kind"],
                    abstract=bool(facts["abstract"]),
                    root=facts["root"],
                    base=facts.get("base"),
                )
                for url, facts in content["profiles"].items()
            },
            nodes=tuple(content["nodes"]),
            invariants=tuple((key, severity, expression) for key, severity, expression in content["invariants"]),
            value_sets={url: _value_set(codes) for url, codes in content["valueSets"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidValue(path.name, "a whole guide, as hip ig compile writes it") from error


def _value_set(codes: Any) -> Mapping[str, frozenset[str]] | str | None:
    if isinstance(codes, Mapping):
        return {system: frozenset(listed) for system, listed in codes.items()}
    return codes if codes is None else str(codes)


@cache
def shipped_guide() -> Guide:
    """The NRCeS guide that comes with the package, read once per process."""
    return read_guide(SHIPPED)

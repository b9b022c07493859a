"""The example visits, from a checkout or from the installed package."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.errors import InvalidValue
from hip.domain.visits import VisitRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One visit file: its bytes as they are handed over, and what they say."""

    name: str
    content: bytes
    record: VisitRecord


def examples_folder() -> Path:
    """``examples`` beside a checkout, or the copy inside an installed package."""
    checkout = Path(__file__).parents[3] / "examples"
    return checkout if checkout.is_dir() else Path(str(files("hip") / "examples"))


def example_visits(folder: Path | None = None) -> tuple[Example, ...]:
    """Every visit file, by name. Raises InvalidValue naming the file and the field."""
    reader = VisitRecordReader()
    examples: list[Example] = []
    for file in sorted(((folder or examples_folder()) / "visits").glob("*.json")):
        content = file.read_bytes()
        try:
            record = reader.read(content)
        except InvalidValue as fault:
            raise InvalidValue(f"{file.name}: {fault.field}", fault.expected) from None
        examples.append(Example(name=file.name, content=content, record=record))
    return tuple(examples)

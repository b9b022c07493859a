"""``hip bundle``: documents made from visit files, without a server."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from hip.adapters.fhir.composition.composer import FhirComposer
from hip.adapters.visit_records.reading import VisitRecordReader
from hip.domain.errors import InvalidValue
from hip.domain.facilities import Facility
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId
from hip.domain.visits import VisitRecord
from hip.entrypoints.cli.inspection import show
from hip.entrypoints.cli.validation import validate
from hip.entrypoints.setting_faults import SettingsInvalid
from hip.entrypoints.settings import Settings

_USAGE = 2

app = typer.Typer(name="bundle", help="Compose, check and show FHIR document bundles.", no_args_is_help=True)


@app.callback()
def bundle() -> None:
    """Compose, check and show FHIR document bundles."""


app.command()(validate)
app.command()(show)


@app.command()
def compose(
    visit: Annotated[Path, typer.Argument(metavar="VISIT.json", help="A visit record; see `hip visits schema`.")],
    hi_type: Annotated[
        str | None, typer.Option("--hi-type", metavar="TYPE", help="Only this HI type, as a bare bundle.")
    ] = None,
) -> None:
    """Print the bundles of a visit as JSON: {hiType: Bundle}, or one bundle with --hi-type.

    Exit 0 done, 2 for a file that cannot be read or is no good visit record; the field at fault is named.
    """
    try:
        record = VisitRecordReader().read(visit.read_bytes())
        wanted = None if hi_type is None else HiType.parse(hi_type, field="--hi-type")
        content = composed(record, wanted, facility=_facility(record.hip_id))
    except OSError as fault:
        raise _refusal(f"{visit}: {fault.strerror}") from None
    except InvalidValue as fault:
        raise _refusal(f"{visit}: {fault}") from None
    except SettingsInvalid as fault:
        raise _refusal(str(fault)) from None
    typer.echo(content)


def composed(record: VisitRecord, hi_type: HiType | None, *, facility: Facility) -> bytes:
    """The bundle of ``hi_type`` byte for byte, or every required bundle in one object keyed by HI type.

    Raises InvalidValue when the visit has no data for ``hi_type``.
    """
    composer = FhirComposer()
    if hi_type is not None:
        return composer.compose(record, hi_type, facility=facility)
    bundles = {each: composer.compose(record, each, facility=facility) for each in record.required_hi_types}
    return msgspec.json.encode({each.value: msgspec.Raw(content) for each, content in bundles.items()})


def _facility(hip_id: HipId) -> Facility:
    """As HIP_FACILITIES names it; a file of a facility that is not listed is composed under its id."""
    known = (setting.facility() for setting in Settings.read().facilities if setting.id == hip_id)
    return next(known, Facility(hip_id=hip_id, name=hip_id))


def _refusal(words: str) -> typer.Exit:
    typer.echo(words, err=True)
    return typer.Exit(_USAGE)

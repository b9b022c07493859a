"""``hip bundle show``: a document as the patient's app shows it, every gap marked."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from hip.adapters.fhir.presentation.pages import Page
from hip.adapters.fhir.presentation.rendering import present
from hip.adapters.fhir.validation.reading import MAX_BYTES, Unreadable, read_document
from hip.adapters.fhir.validation.validator import NrcesValidator
from hip.application.inspection import InspectBundle, InspectedBundle
from hip.domain.bundles import BundleKey
from hip.domain.errors import InvalidValue
from hip.domain.hi_types import HiType
from hip.domain.identifiers import HipId, VisitCode
from hip.entrypoints.cli.pages import say_page
from hip.entrypoints.cli.terminal import SOME_FAILED, USAGE, complain, exits_as_promised, lasting_settings, say_json
from hip.entrypoints.cli.validation import Guide, MaxMb, Verdict
from hip.entrypoints.settings import Settings


@exits_as_promised
def show(
    source: Annotated[str, typer.Argument(metavar="FILE | -", help="A bundle as JSON, or - for standard input.")],
    stored: Annotated[
        bool, typer.Option("--stored", help="FILE is HIP/VISIT/TYPE: the stored bundle that is served.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Verdict, page and gaps as one JSON object.")] = False,
    guide: Guide = None,
    max_mb: MaxMb = MAX_BYTES >> 20,
) -> None:
    """Show a document as a patient's app would, with "NA here" wherever the app finds nothing to show.

    Exit 0 shown, 1 no valid FHIR document (one that is invalid is shown as far as it goes), 2 bad usage or a file that
    cannot be read. With --stored an audit entry is written; exit 1 for an unknown bundle, 3 when a server is away.
    """
    limit = max_mb << 20
    try:
        validator = NrcesValidator(guide=guide, max_bytes=limit)
    except InvalidValue as fault:
        complain(str(fault))
        raise typer.Exit(USAGE) from None
    content = _stored(source) if stored else _read(source, limit, as_json=as_json)
    verdict, page = inspected(source, content, validator, limit=limit)
    if as_json:
        say_json({**verdict.as_json(), "page": None if page is None else page.as_json()})
    else:
        _say(verdict, page)
    if not verdict.valid:
        raise typer.Exit(SOME_FAILED)


def inspected(source: str, content: bytes, validator: NrcesValidator, *, limit: int) -> tuple[Verdict, Page | None]:
    """The verdict on a document and its page; no page for what is no FHIR Bundle. Nothing is raised for bad content."""
    try:
        bundle: dict[str, Any] = read_document(content, max_bytes=limit)
    except Unreadable:
        return Verdict(file=source, report=validator.validate(content)), None
    verdict = Verdict(file=source, report=validator.validate(bundle))
    return verdict, present(bundle, verdict.report.issues) if bundle.get("resourceType") == "Bundle" else None


def _read(source: str, limit: int, *, as_json: bool) -> bytes:
    """At most a byte more than the limit, which the validator then reports."""
    try:
        if source == "-":
            return sys.stdin.buffer.read(limit + 1)
        with Path(source).open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as fault:
        reason = fault.strerror or type(fault).__name__
        complain(f"{source}: {reason}")
        if as_json:
            say_json({**Verdict(file=source, unreadable=reason).as_json(), "page": None})
        raise typer.Exit(USAGE) from None


def _stored(key: str) -> bytes:
    hip_id, _, rest = key.partition("/")
    visit_code, _, type_name = rest.rpartition("/")
    hi_type = HiType.recognise(type_name)
    if not (hip_id and visit_code and hi_type):
        complain(f"{key}: expected HIP/VISIT/TYPE, such as IN0410000123/88120/Prescription")
        raise typer.Exit(USAGE)
    bundle_key = BundleKey(hip_id=HipId(hip_id), visit_code=VisitCode(visit_code), hi_type=hi_type)
    found = asyncio.run(_inspect(lasting_settings(), bundle_key))
    newest, shown = found.newest, found.shown
    if newest.version != shown.version:
        complain(f"version {shown.version}, which is served; version {newest.version} is newer and invalid")
    return found.content


async def _inspect(settings: Settings, key: BundleKey) -> InspectedBundle:
    from hip.entrypoints.container import adapters_for, opened

    adapters = adapters_for(settings)
    async with opened(adapters):
        inspect = InspectBundle(adapters.units(), adapters.bundles(), adapters.clock())
        return await inspect(key, actor="command line")


def _say(verdict: Verdict, page: Page | None) -> None:
    if page is not None:
        say_page(page)
    errors = verdict.report.errors
    for issue in errors[: 1 if page is None else 0]:
        complain(f"{verdict.file}: {issue.message}: {issue.found}; {issue.fix} [{issue.rule}]")
    if page is not None and errors:
        number = f"{len(errors)} {'error' if len(errors) == 1 else 'errors'}"
        complain(f"{verdict.file}: invalid, {number}: `hip bundle validate` says what to fix")

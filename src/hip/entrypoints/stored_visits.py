"""Visits and their bundles as they are listed and shown, with what only the document store knows of them."""

from collections.abc import Sequence
from contextlib import suppress

from hip.application.ports import Bundles
from hip.application.storage import Listing, UnitOfWork
from hip.domain.bundles import BundleKey, BundleRecord, Severity
from hip.domain.errors import StorageFailed
from hip.domain.hi_types import HiType
from hip.domain.identifiers import CareContextReference, HipId, VisitCode
from hip.entrypoints import views
from hip.entrypoints.stored import Stored
from hip.entrypoints.views import Shown


async def _visits(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    shown = [
        await _visit(uow, visit.record.hip_id, visit.record.visit_code) for visit in await uow.visits.list(listing)
    ]
    return [one for one in shown if one is not None]


async def _visit(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    visit = await uow.visits.get(hip_id, VisitCode(key))
    if visit is None:
        return None
    bundles = [await _newest(uow, one) for one in await uow.bundles.of_visit(hip_id, visit.record.visit_code)]
    context = await uow.care_contexts.get(hip_id, CareContextReference(key))
    jobs = await uow.bundle_jobs.of_visit(hip_id, visit.record.visit_code)
    return views.visit_view(visit, bundles, jobs, context)


async def _bundles(uow: UnitOfWork, listing: Listing) -> Sequence[Shown]:
    return [views.bundle_view(one) for one in await uow.bundles.list(listing)]


async def _bundle(uow: UnitOfWork, hip_id: HipId, key: str) -> Shown | None:
    code, _, type_name = key.partition("/")
    bundle_key = BundleKey(hip_id=hip_id, visit_code=VisitCode(code), hi_type=HiType.parse(type_name))
    newest = [one for one in await uow.bundles.of_visit(hip_id, bundle_key.visit_code) if one.key == bundle_key]
    return await _newest(uow, newest[0]) if newest else None


async def _newest(uow: UnitOfWork, newest: BundleRecord) -> Shown:
    """The newest version, and which one leaves this service: the last valid one, or none."""
    served = newest if newest.valid else await uow.bundles.servable(newest.key)
    return {**views.bundle_view(newest), "servedVersion": served.version if served else None}


async def _count_errors(bundles: Bundles, rows: Sequence[Shown]) -> None:
    """``errors`` of each bundle; None while the document store is away, for the rest is known without it."""
    away = False
    for row in rows:
        row["errors"] = 0 if row["valid"] else None
        if row["valid"] or away:
            continue
        try:
            issues = await bundles.issues(_key(row), row["version"])
        except StorageFailed:
            away = True
            continue
        row["errors"] = sum(issue.severity is Severity.ERROR for issue in issues or ())


async def _count_errors_of_visits(bundles: Bundles, rows: Sequence[Shown]) -> None:
    """``errors`` of each bundle and of the visit."""
    await _count_errors(bundles, [bundle for row in rows for bundle in row["bundles"]])
    for row in rows:
        counts = [bundle["errors"] for bundle in row["bundles"]]
        row["errors"] = None if None in counts else sum(counts)


async def _add_issues(bundles: Bundles, rows: Sequence[Shown]) -> None:
    """``errors`` and ``issues``; None while the document store is away."""
    for row in rows:
        row["errors"] = row["issues"] = None
        with suppress(StorageFailed):
            issues = await bundles.issues(_key(row), row["version"]) or ()
            row["errors"] = sum(issue.severity is Severity.ERROR for issue in issues)
            row["issues"] = [views.issue_view(issue) for issue in issues]


def _key(row: Shown) -> BundleKey:
    return BundleKey(hip_id=row["hipId"], visit_code=row["visitCode"], hi_type=row["hiType"])


VISITS = Stored(
    name="visit",
    columns=("hipId", "visitCode", "version", "linked", "unfinished", "invalid", "errors"),
    list=_visits,
    show=_visit,
    complete_list=_count_errors_of_visits,
    complete_one=_count_errors_of_visits,
)
BUNDLES = Stored(
    name="bundle",
    columns=("hipId", "visitCode", "hiType", "version", "valid", "errors", "size"),
    list=_bundles,
    show=_bundle,
    complete_list=_count_errors,
    complete_one=_add_issues,
)

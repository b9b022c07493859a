"""``hip visits rebuild``, ``hip bundles show`` and ``hip bundle show --stored`` on real servers."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from tests.builders.faults import Fault, FaultyComposer, untitled_prescriptions
from tests.e2e.desk import EXAMPLES, GONE, Desk, a_desk
from tests.servers import Servers

from hip.application.bundling import BuildBundle
from hip.domain.identifiers import HipId
from hip.entrypoints.container import adapters_for, opened
from hip.entrypoints.demo.stages import settings_of

HIP = "IN0410000123"
CODE = "88134"
KEY = f"{CODE}/Prescription"
WORK = [f"{CODE}|OPConsultation", f"{CODE}|Prescription"]


@pytest.fixture
def desk(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """With the second example handed over and its bundles still to be built."""
    with a_desk(servers, tmp_path_factory.mktemp("rebuild")) as desk:
        assert desk.run("visits", "import", str(EXAMPLES[1])).code == 0
        yield desk


def build(desk: Desk, fault: Fault | None) -> None:
    """What a worker does with the visit's rows, and the rows done."""

    async def run() -> None:
        adapters = adapters_for(settings_of(dict(desk.settings)))
        async with opened(adapters):
            units, documents, validator = adapters.units(), adapters.bundles(), adapters.validator()
            builds = BuildBundle(
                units, documents, FaultyComposer(fault), validator, adapters.facilities(), adapters.clock()
            )
            for key in WORK:
                await builds(HipId(HIP), key)

    asyncio.run(run())


def test_an_invalid_bundle_is_counted_listed_and_explained(desk: Desk) -> None:
    build(desk, untitled_prescriptions)
    visit = desk.run("visits", "show", CODE, "--json").json()
    assert (visit["invalid"], visit["errors"], visit["linked"]) == (["Prescription"], 1, False)
    rows = [row for row in desk.run("bundles", "list", "--json").json() if row["visitCode"] == CODE]
    assert {row["hiType"]: row["errors"] for row in rows} == {"OPConsultation": 0, "Prescription": 1}
    shown = desk.run("bundles", "show", KEY, "--json").json()
    [error] = [issue for issue in shown["issues"] if issue["severity"] == "error"]
    assert (error["rule"], error["path"]) == ("min", "Bundle.entry[0].resource.title")
    assert (shown["errors"], shown["servedVersion"]) == (1, None)
    assert "Bundle.entry[0].resource.title" in desk.run("bundles", "show", KEY).stdout
    away = desk.run("bundles", "show", KEY, "--json", HIP_MONGO_URL=GONE["HIP_MONGO_URL"])
    assert (away.code, away.json()["errors"], away.json()["issues"]) == (0, None, None)


def test_a_rebuild_asks_for_every_bundle_as_a_new_version(desk: Desk) -> None:
    build(desk, untitled_prescriptions)
    before = desk.waiting("bundle")
    answer = desk.run("visits", "rebuild", CODE)
    assert (answer.code, answer.stdout) == (0, f"{CODE}\tversion 2 is being built\n")
    assert sorted(set(desk.waiting("bundle"))) == sorted({*before, *WORK})
    assert len(desk.waiting("bundle")) == len(before) + len(WORK)
    build(desk, None)
    shown = desk.run("bundles", "show", KEY, "--json").json()
    assert (shown["version"], shown["valid"], shown["servedVersion"]) == (2, True, 2)
    assert desk.rows("SELECT action, actor, subject FROM audit WHERE action = 'visit-rebuilt'") == [
        ("visit-rebuilt", "command line", CODE)
    ]


def test_rebuild_takes_codes_or_since_and_goes_on_after_one_it_does_not_know(desk: Desk) -> None:
    assert desk.run("visits", "rebuild").code == 2
    assert desk.run("visits", "rebuild", CODE, "--since", "2026-01-01").code == 2
    assert desk.run("visits", "rebuild", "--since", "yesterday").code == 2
    answer = desk.run("visits", "rebuild", "404", CODE, "--json")
    assert answer.code == 1
    assert [(row["visitCode"], row["version"], row["failed"]) for row in answer.json()] == [
        ("404", None, True),
        (CODE, 2, False),
    ]
    assert (
        desk.run("visits", "rebuild", "--since", "2100-01-01").stdout == "0 visits are being built anew, 0 documents\n"
    )
    assert desk.run("visits", "rebuild", CODE, "--hip", "IN0000000000").code == 1


def test_any_number_of_visits_is_built_anew_by_when_they_came_and_goes_on_where_it_was(desk: Desk) -> None:
    since = ("visits", "rebuild", "--since", "2020-01-01T00:00:00Z")
    file = desk.folder / "rebuild.json"
    records = {path.stem: json.loads(path.read_bytes()) for path in EXAMPLES[:1]}
    many = 250
    with (desk.folder / "many.ndjson").open("w") as lines:
        for number in range(many):
            for record in records.values():
                lines.write(json.dumps(record | {"visitCode": f"many-{number:03}"}) + "\n")
    assert desk.run("visits", "import", str(desk.folder / "many.ndjson")).code == 0
    total = desk.rows("SELECT count(*) FROM visits WHERE hip_id = $1", HIP)[0][0]
    assert total > many
    before = desk.rows("SELECT count(*) FROM outbox")
    assert desk.run(*since, "--dry-run", "--hip", HIP).stdout == f"{total} visits would be built anew\n"
    counted = desk.run(*since, "--dry-run", "--json").json()
    assert counted == {"visits": total, "documents": None, "unread": None, "dryRun": True}
    assert desk.rows("SELECT count(*) FROM outbox") == before, "counting changes nothing"
    done = desk.run(*since, "--position", str(file), "--json").json()
    asked = desk.rows(
        "SELECT count(*), count(DISTINCT key), min(priority), max(priority) FROM outbox WHERE priority > 6"
    )
    assert asked == [(done["documents"], done["documents"], 7, 7)]
    assert done["visits"] == total
    assert desk.rows("SELECT DISTINCT version FROM visits") == [(2,)]
    assert desk.run(*since, "--position", str(file)).stdout == "0 visits are being built anew, 0 documents\n"
    # As if it had been broken off behind the hundredth of them.
    place = desk.rows("SELECT received_at, visit_code FROM visits ORDER BY received_at, visit_code OFFSET 99 LIMIT 1")
    [(at, code)] = place
    file.write_text(json.dumps({HIP: f"{at.isoformat()} {code}"}))
    rest = desk.run(*since, "--position", str(file), "--json").json()
    assert rest["visits"] == total - 100
    assert desk.rows("SELECT version, count(*) FROM visits GROUP BY 1 ORDER BY 1") == [(2, 100), (3, total - 100)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--since", "yesterday"), "--since: expected a date and time"),
        (("--since", "2026-01-01", "--hip", "IN0000000000"), "--hip: expected a facility of this service"),
        ((CODE, "--dry-run"), "--dry-run and --position go with --since"),
        (("--since", "2026-01-01", "--position", "pages.json"), "pages.json: expected a file that this command wrote"),
    ],
)
def test_what_a_rebuild_cannot_take_is_named(desk: Desk, arguments: tuple[str, ...], said: str) -> None:
    (desk.folder / "pages.json").write_text(json.dumps({HIP: "the 12th of March"}))
    answer = desk.run("visits", "rebuild", *arguments)
    assert answer.code == 2
    assert said in " ".join(answer.stderr.replace("│", " ").split())


def test_a_stored_bundle_is_shown_as_it_is_served(desk: Desk) -> None:
    key = f"{HIP}/{KEY}"
    assert desk.run("bundle", "show", "--stored", key).code == 1, "nothing is built yet"
    build(desk, None)
    first = desk.run("bundle", "show", "--stored", key)
    assert (first.code, first.stderr) == (0, "")
    assert "Suresh Yadav" in first.stdout
    assert first.stdout.endswith("no gaps\n")
    desk.run("visits", "rebuild", CODE)
    build(desk, untitled_prescriptions)
    again = desk.run("bundle", "show", "--stored", key)
    assert (again.code, again.stdout) == (0, first.stdout)
    assert again.stderr == "version 1, which is served; version 2 is newer and invalid\n"
    looks = desk.rows("SELECT subject, detail FROM audit WHERE action = 'bundle-inspected'")
    assert {subject for subject, _ in looks} == {key}
    assert len(looks) == 2
    assert desk.run("bundle", "show", "--stored", key, HIP_MONGO_URL=GONE["HIP_MONGO_URL"]).code == 3


def test_a_bundle_that_was_never_valid_is_shown_and_exits_with_1(desk: Desk) -> None:
    build(desk, untitled_prescriptions)
    answer = desk.run("bundle", "show", "--stored", f"{HIP}/{KEY}")
    assert answer.code == 1
    assert answer.stdout.startswith("Document without a title\n")
    assert "invalid, 1 error" in answer.stderr

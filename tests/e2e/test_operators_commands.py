"""The operator's commands on real servers: what they say, what they change, and how they end (design.md, "Exit")."""

import json
import time
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from pymongo import MongoClient
from tests.builders.links import OTHER_HIP
from tests.builders.processes import hip, killed
from tests.e2e.desk import EXAMPLES, GONE, NOWHERE, Answer, Desk, a_desk, transfer_id
from tests.servers import Servers


@pytest.fixture(scope="module")
def desk(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One for all tests: each works on rows of its own."""
    with a_desk(servers, tmp_path_factory.mktemp("operator")) as desk:
        yield desk


KINDS = {
    "bundles": "88120/Prescription",
    "links": "linked-1",
    "exchanges": "exchange-1",
    "callbacks": "callback-1",
    "consents": "consent-1",
    "transfers": transfer_id("failed"),
}
"""Everything that can be listed, with the key of one that is there."""


@pytest.fixture(scope="module")
def imported(desk: Desk) -> Answer:
    """The answer to handing over every example."""
    return desk.run("visits", "import", *map(str, EXAMPLES))


def test_db_upgrade_again_changes_nothing(desk: Desk, mongo_url: str) -> None:
    def found() -> tuple[object, ...]:
        columns = "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
        indexes = "SELECT indexname, indexdef FROM pg_indexes"
        mine = " WHERE {} = 'public' ORDER BY 1, 2"
        with MongoClient[dict[str, Any]](mongo_url) as client:
            mongo = client[desk.settings["HIP_MONGO_DATABASE"]]
            documents = {name: mongo[name].index_information() for name in sorted(mongo.list_collection_names())}
        return (
            desk.rows(columns + mine.format("table_schema")),
            desk.rows(indexes + mine.format("schemaname")),
            desk.rows("SELECT version_num FROM alembic_version"),
            documents,
        )

    before = found()
    assert len(before[0]) > 100
    assert before[3]
    ended = hip("db", "upgrade", settings=desk.settings, folder=desk.folder)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "the databases are up to date\n", "")
    assert found() == before


def test_visits_are_imported_once_however_often_they_are_handed_over(desk: Desk, imported: Answer) -> None:
    assert (imported.code, imported.stdout, imported.stderr) == (0, "6 taken, 0 refused\n", "")
    work = desk.waiting("bundle")
    assert "88120|OPConsultation" in work
    again = desk.run("visits", "import", *map(str, EXAMPLES))
    assert (again.code, again.stdout) == (0, "6 taken, 0 refused\n")
    assert desk.waiting("bundle") == work
    listed = desk.run("visits", "list", "--json").json()
    assert {visit["visitCode"]: visit["version"] for visit in listed} == {
        json.loads(file.read_bytes())["visitCode"]: 1 for file in EXAMPLES
    }
    shown = hip("visits", "show", "88120", "--json", settings=desk.settings, folder=desk.folder)
    assert (shown.code, shown.stderr) == (0, "")
    assert json.loads(shown.stdout) in listed


def test_a_bad_record_is_named_by_file_line_and_field_and_the_others_go_in(desk: Desk, imported: Answer) -> None:
    good, wrong = json.loads(EXAMPLES[0].read_bytes()), json.loads(EXAMPLES[1].read_bytes())
    good["visitCode"], wrong["patient"]["birthDate"] = "88121", 19690101
    records = desk.folder / "records.ndjson"
    records.write_text(f"{json.dumps(wrong)}\n\n{json.dumps(good)}\nno json\n", encoding="utf-8")
    rejects = desk.folder / "rejects.ndjson"
    answer = desk.run("visits", "import", str(records), "--rejects", str(rejects))
    assert (answer.code, answer.stdout) == (1, "1 taken, 2 refused\n")
    assert rejects.read_text(encoding="utf-8") == f"{json.dumps(wrong)}\nno json\n"
    assert rejects.stat().st_mode & 0o777 == 0o600
    first, second = answer.stderr.splitlines()
    assert first.startswith(f"{records}:1: patient.birthDate: expected ")
    assert second.startswith(f"{records}:4: ")
    assert desk.run("visits", "show", "88121").code == 0


def test_rejects_are_never_written_over_the_file_that_is_read(desk: Desk) -> None:
    """The mended file of rejects is handed over again, with the same option as before."""
    records = desk.folder / "mended.ndjson"
    records.write_bytes(content := b"no json\n")
    (desk.folder / "same.ndjson").symlink_to(records)
    for name in ("mended.ndjson", "same.ndjson"):
        answer = desk.run("visits", "import", str(records), "--rejects", str(desk.folder / name))
        assert (answer.code, records.read_bytes()) == (2, content)
        assert "--rejects: expected another file than those that are read" in answer.stderr


def test_a_file_of_rejects_that_was_there_before_is_for_its_owner_only_too(desk: Desk) -> None:
    records, rejects = desk.folder / "wrong.ndjson", desk.folder / "old.ndjson"
    records.write_bytes(b"no json\n")
    rejects.write_bytes(b"")
    rejects.chmod(0o644)
    assert desk.run("visits", "import", str(records), "--rejects", str(rejects)).code == 1
    assert rejects.stat().st_mode & 0o777 == 0o600


def test_a_file_whose_import_was_killed_is_handed_over_again(desk: Desk) -> None:
    record = json.loads(EXAMPLES[0].read_bytes())
    records = desk.folder / "many.ndjson"
    records.write_text("".join(f"{json.dumps(record | {'visitCode': f'm-{n}'})}\n" for n in range(2000)), "utf-8")
    stored = "SELECT visit_code, version FROM visits WHERE visit_code LIKE 'm-%'"
    with killed("visits", "import", str(records), settings=desk.settings, folder=desk.folder):
        deadline = time.monotonic() + 120
        while not (before := len(desk.rows(stored))):
            assert time.monotonic() < deadline
    assert before < 2000
    answer = desk.run("visits", "import", str(records))
    assert (answer.code, answer.stdout) == (0, "2000 taken, 0 refused\n")
    found = desk.rows(stored)
    assert (len(found), {version for _, version in found}) == (2000, {1})
    asked = [key for key in desk.waiting("bundle") if key.startswith("m-")]
    assert len(asked) == len(set(asked)) == 2000 * len(record_types(desk, "m-0"))


def record_types(desk: Desk, visit_code: str) -> list[str]:
    [(types,)] = desk.rows("SELECT array_agg(hi_type) FROM bundle_jobs WHERE visit_code = $1", visit_code)
    return list(types)


def test_a_file_that_cannot_be_read_is_a_usage_error_before_anything_goes_in(desk: Desk, imported: Answer) -> None:
    other = json.loads(EXAMPLES[0].read_bytes()) | {"visitCode": "88122"}
    readable = desk.folder / "readable.json"
    readable.write_text(json.dumps(other), encoding="utf-8")
    answer = desk.run("visits", "import", str(readable), str(desk.folder / "missing.json"))
    assert answer.code == 2
    assert "missing.json" in answer.stderr
    assert desk.run("visits", "show", "88122").code == 1


def test_the_schema_of_a_visit_is_one_that_the_examples_meet(desk: Desk) -> None:
    schema = desk.run("visits", "schema").json()
    jsonschema.Draft202012Validator.check_schema(schema)
    for file in EXAMPLES:
        jsonschema.validate(json.loads(file.read_bytes()), schema)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed_and_shown_as_lines_and_as_json(desk: Desk, kind: str) -> None:
    key = KINDS[kind]
    listed = desk.run(kind, "list", "--json")
    assert (listed.code, listed.stderr) == (0, "")
    shown = desk.run(kind, "show", key, "--json")
    assert (shown.code, shown.stderr) == (0, "")
    one = shown.json()
    assert any(set(row) <= set(one) and all(one[name] == row[name] for name in row) for row in listed.json())
    header, *lines = desk.run(kind, "list").stdout.splitlines()
    assert len(lines) == len(listed.json())
    assert all(line.count("\t") == header.count("\t") for line in lines)
    assert desk.run(kind, "show", key).stdout.startswith("field\tvalue\n")
    assert desk.run(kind, "list", "--json", "--hip", "IN0000000000").json() == []
    assert desk.run(kind, "list", "--json", "--since", "2100-01-01T00:00:00Z").json() == []
    assert len(desk.run(kind, "list", "--json", "--limit", "1").json()) == 1


@pytest.mark.parametrize("kind", ["visits", *KINDS])
def test_what_is_not_there_and_what_is_no_answer_end_as_promised(desk: Desk, kind: str) -> None:
    missing = desk.run(kind, "show", "99999/Prescription" if kind == "bundles" else "99999")
    assert missing.code == 1
    assert missing.stdout == ""
    assert "99999" in missing.stderr
    assert missing.stderr.count("\n") == 1
    bad = desk.run(kind, "list", "--since", "yesterday")
    assert (bad.code, bad.stdout) == (2, "")
    assert bad.stderr == "--since: expected a date and time such as 2026-03-12T10:00:00Z\n"
    assert desk.run(kind, "list", "--limit", "0").code == 2
    assert desk.run(kind, "show").code == 2
    assert desk.run(kind, "nonsense").code == 2


def test_one_hip_does_not_see_another_ones(desk: Desk) -> None:
    """CB-05, for those who ask for one."""
    assert [row["id"] for row in desk.run("callbacks", "list", "--json", "--hip", OTHER_HIP).json()] == [
        "callback-other"
    ]
    assert desk.run("callbacks", "show", "callback-1", "--hip", OTHER_HIP).code == 1


def test_a_callback_is_replayed_and_one_that_cannot_be_does_not_keep_the_others(desk: Desk) -> None:
    before = desk.waiting("callback")
    answer = desk.run("callbacks", "replay", "unknown-1", "callback-hash", "callback-1")
    assert (answer.code, answer.stdout) == (1, "callback-1\tqueued\n")
    unknown, hash_only = answer.stderr.splitlines()
    assert "unknown-1 is not known" in unknown
    assert "only the hash" in hash_only
    assert desk.waiting("callback") == sorted([*before, "callback-1"])
    other = desk.run("callbacks", "replay", "callback-other")
    assert (other.code, other.stdout, other.stderr) == (0, "callback-other\tqueued\n", "")


def _state(desk: Desk, name: str) -> tuple[Any, ...]:
    [row] = desk.rows("SELECT status, outcome FROM data_flow_request WHERE transaction_id = $1", transfer_id(name))
    return row


def test_aud_01_what_was_decided_is_explained_and_whoever_asks_is_written_down(desk: Desk) -> None:
    key = transfer_id("failed")
    told = desk.run("transfers", "explain", key)
    assert told.code == 0
    assert told.stdout.splitlines()[0].startswith(f"transfer {key} on consent consent-1: ")
    assert "the requester said no" in told.stdout
    assert desk.run("transfers", "explain", key, "--json").json()["transactionId"] == key
    assert desk.run("consents", "show", "consent-1", "--json").json()["decisionCount"] == 0
    for choice in (["--patient", "meera.k01@sbx"], ["--requester", "HIU-1"], ["--consent", "consent-1"]):
        listed = desk.run("decisions", "list", *choice, "--json")
        assert (listed.code, listed.json()) == (0, [])
    assert desk.run("decisions", "list", "--patient", "nobody").code == 2
    assert desk.run("transfers", "explain", "unknown").code == 1
    counts = _looks(desk, "%-viewed")
    assert counts["transfer-viewed"] >= 2
    assert counts["consent-viewed"] >= 1
    assert counts["decisions-viewed"] >= 3


def _looks(desk: Desk, actions: str) -> dict[str, int]:
    looked = desk.rows("SELECT action, count(*) FROM audit WHERE action LIKE $1 GROUP BY action", actions)
    return dict(looked)  # type: ignore[arg-type]


def test_aud_01_who_looks_at_a_list_is_written_down_with_what_it_showed(desk: Desk, imported: Answer) -> None:
    kinds = ("visits", "bundles", "links", "exchanges", "callbacks", "consents", "transfers", "jobs")
    before = _looks(desk, "%-listed")
    for kind in kinds:
        assert desk.run(kind, "list", "--limit", "7").code == 0
    after = _looks(desk, "%-listed")
    assert {kind for kind in kinds if after.get(f"{kind}-listed", 0) > before.get(f"{kind}-listed", 0)} == {*kinds} - {
        "jobs"
    }, "a job holds numbers only"
    [(detail,)] = desk.rows(
        "SELECT detail::text FROM audit WHERE action = 'callbacks-listed' ORDER BY sequence DESC LIMIT 1"
    )
    assert '"limit"' in str(detail)
    assert '"found"' in str(detail)


def test_failed_transfers_are_retried_all_or_by_name_after_a_dry_run_that_changes_nothing(desk: Desk) -> None:
    dry = desk.run("transfers", "retry", "--all-failed", "--dry-run", "--json")
    assert dry.code == 0
    assert {row["transactionId"]: row["result"] for row in dry.json()} == {
        transfer_id("dead"): "would be retried from acknowledged",
        transfer_id("failed"): "would be retried from pushing",
    }
    hopeless = ("whole", "refused", "running", "unknown")
    for choice in (["--dry-run"], []):
        names = [transfer_id(name) for name in hopeless]
        answer = desk.run("transfers", "retry", *names, *choice, "--json")
        assert answer.code == 1
        assert [(row["transactionId"], row["failed"]) for row in answer.json()] == [(name, True) for name in names]
    assert (desk.waiting("transfer"), _state(desk, "dead")) == ([], ("dead", None))

    named = desk.run("transfers", "retry", transfer_id("dead"), transfer_id("whole"))
    assert named.code == 1
    assert named.stdout.splitlines()[0] == f"{transfer_id('dead')}\tretried from acknowledged"
    assert _state(desk, "dead") == ("acknowledged", None)
    rest = hip("transfers", "retry", "--all-failed", settings=desk.settings, folder=desk.folder)
    assert (rest.code, rest.stdout, rest.stderr) == (0, f"{transfer_id('failed')}\tretried from pushing\n", "")
    assert _state(desk, "failed") == ("pushing", None)
    assert desk.rows("SELECT state FROM pages WHERE transaction_id = $1", transfer_id("failed")) == [("pending",)]
    assert desk.waiting("transfer") == sorted([transfer_id("dead"), transfer_id("failed")])
    assert (_state(desk, "whole"), _state(desk, "refused")) == (("done", "TRANSFERRED"), ("done", "FAILED"))
    nothing = desk.run("transfers", "retry", "--all-failed", "--since", "2100-01-01", "--json")
    assert (nothing.code, nothing.json()) == (0, [])


@pytest.mark.parametrize("arguments", [(), ("transfer-1", "--all-failed")])
def test_a_retry_wants_either_names_or_all(desk: Desk, arguments: tuple[str, ...]) -> None:
    answer = desk.run("transfers", "retry", *arguments)
    assert (answer.code, answer.stderr) == (2, "ID: expected transaction ids, or --all-failed\n")


def test_bundles_are_composed_from_a_file_or_the_field_at_fault_is_named(desk: Desk) -> None:
    ended = hip("bundle", "compose", str(EXAMPLES[0]), folder=desk.folder)  # needs no setting and no server
    assert (ended.code, ended.stderr) == (0, "")
    bundles = json.loads(ended.stdout)
    assert set(bundles) == {"OPConsultation", "Prescription"}
    assert {bundle["resourceType"] for bundle in bundles.values()} == {"Bundle"}
    wrong = json.loads(EXAMPLES[0].read_bytes()) | {"class": 7}
    broken = desk.folder / "broken.json"
    broken.write_text(json.dumps(wrong), encoding="utf-8")
    answer = desk.run("bundle", "compose", str(broken))
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"{broken}: class: expected ")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("missing.json",), "missing.json", id="no file"),
        pytest.param((str(EXAMPLES[0]), "--hi-type", "Horoscope"), "--hi-type", id="no HI type"),
        pytest.param((str(EXAMPLES[0]), "--hi-type", "Invoice"), "Invoice", id="no data for it"),
    ],
)
def test_compose_ends_with_2_for_what_it_cannot_compose(desk: Desk, arguments: tuple[str, ...], named: str) -> None:
    answer = desk.run("bundle", "compose", *arguments)
    assert (answer.code, answer.stdout) == (2, "")
    assert named in answer.stderr


COMMANDS: tuple[tuple[str, ...], ...] = (
    ("db", "upgrade"),
    ("visits", "import", str(EXAMPLES[0])),
    ("visits", "list"),
    ("visits", "show", "88120"),
    *((kind, verb, *([key] * (verb == "show"))) for kind, key in KINDS.items() for verb in ("list", "show")),
    ("callbacks", "replay", "callback-1"),
    ("transfers", "retry", "transfer-dead"),
    ("transfers", "retry", "--all-failed"),
)
each_command = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)


@each_command
def test_every_missing_setting_is_named_at_once(desk: Desk, command: tuple[str, ...]) -> None:
    missing = ("HIP_DATABASE_URL", "HIP_MONGO_URL", "HIP_REDIS_URL")
    if command != ("db", "upgrade"):
        missing = ("HIP_CLIENT_SECRET", "HIP_FACILITIES", *missing)
    answer = desk.run(*command, **dict.fromkeys(missing))
    assert (answer.code, answer.stdout) == (2, "")
    assert sorted(answer.stderr.splitlines()) == sorted(f"{name}: required" for name in missing)


@each_command
def test_a_bad_setting_is_named_without_its_value(desk: Desk, command: tuple[str, ...]) -> None:
    answer = desk.run(*command, HIP_WAIT_SCALE="canary-value", HIP_STORAGE="canary-value")
    assert (answer.code, answer.stdout) == (2, "")
    assert {line.partition(":")[0] for line in answer.stderr.splitlines()} == {"HIP_WAIT_SCALE", "HIP_STORAGE"}
    assert "canary-value" not in answer.stderr


@each_command
def test_memory_mode_has_nothing_to_operate_on(desk: Desk, command: tuple[str, ...]) -> None:
    answer = desk.run(*command, HIP_STORAGE="memory")
    assert (answer.code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("HIP_STORAGE: ")


@each_command
def test_a_database_that_is_away_is_exit_3(desk: Desk, command: tuple[str, ...]) -> None:
    answer = desk.run(*command, HIP_DATABASE_URL=GONE["HIP_DATABASE_URL"])
    assert (answer.code, answer.stdout) == (3, "")
    assert answer.stderr == "a server is unreachable: the database does not answer\n"


@pytest.mark.parametrize(
    ("command", "gone"),
    [
        pytest.param(("db", "upgrade"), "HIP_MONGO_URL", id="upgrade without MongoDB"),
        pytest.param(("bridge", "show"), "HIP_GATEWAY_URL", id="bridge without gateway"),
        pytest.param(("bridge", "set", "https://hip.example.org"), "HIP_GATEWAY_URL", id="bridge set without gateway"),
    ],
)
def test_any_other_server_that_is_away_is_exit_3_too(desk: Desk, command: tuple[str, ...], gone: str) -> None:
    answer = desk.run(*command, **{gone: GONE[gone]})
    assert (answer.code, answer.stdout) == (3, "")
    assert answer.stderr.startswith("a server is unreachable: ")
    assert NOWHERE not in answer.stderr


def test_a_worker_without_redis_ends_with_3(desk: Desk) -> None:
    ended = hip("worker", settings={**desk.settings, **GONE}, folder=desk.folder)
    assert ended.code == 3
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("a server is unreachable: ")


def test_reading_needs_postgres_alone(desk: Desk) -> None:
    """MongoDB, Redis or the gateway being away must not keep an operator from looking."""
    away = {name: url for name, url in GONE.items() if name != "HIP_DATABASE_URL"}
    assert desk.run("transfers", "list", **away).code == 0
    assert desk.run("visits", "import", str(EXAMPLES[0]), **away).code == 0


def test_a_job_is_retried_and_cancelled_by_its_number_and_a_stranger_is_named(desk: Desk, imported: Answer) -> None:
    bundle = next(job["id"] for job in desk.run("jobs", "list", "--json").json() if job["topic"] == "bundle")
    assert desk.run("jobs", "retry", str(bundle)).stdout == f"{bundle}\tqueued\n"
    assert desk.run("jobs", "cancel", str(bundle)).stdout == f"{bundle}\tcancelled\n"
    again = desk.run("jobs", "cancel", str(bundle), "99999")
    assert (again.code, again.stdout) == (1, "")
    first, second = again.stderr.splitlines()
    assert (first.split(":")[0], second.split(":")[0]) == (str(bundle), "99999")
    assert desk.run("jobs", "cancel", "all").code == 2

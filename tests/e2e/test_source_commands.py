"""``hip source sample`` and ``run`` on a real AMRIT-shaped database."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from tests.builders.amrit import asked
from tests.builders.existing import a_bundle_document, a_patient_document
from tests.e2e.desk import Desk, a_desk
from tests.servers import Servers


@pytest.fixture
def desk(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with a_desk(servers, tmp_path_factory.mktemp("source")) as desk:
        yield desk


def test_visits_of_amrit_are_taken_and_refused_ones_carry_their_reason(desk: Desk, servers: Servers) -> None:
    with servers.scratch_database() as amrit:
        settings = {"HIP_VISIT_SOURCE": "amrit", "HIP_AMRIT_URL": amrit}
        assert desk.run("source", "run", "--once").code == 2
        assert desk.run("source", "sample", "--visits", "150", "--seed", "1", **settings).code == 0
        taken = desk.run("source", "run", "--once", **settings)
        assert taken.code == 0
        there = Desk(settings={}, folder=desk.folder, url=amrit)
        rows = there.rows("SELECT visitcode, hip_reason, processed_flag FROM ndhm_trg_visitdata")
        refused = {reason for _, reason, _ in rows if reason is not None}
        assert {flag for _, _, flag in rows} == {None}  # no worker has made a bundle yet
        stored = {code for (code,) in desk.rows("SELECT visit_code FROM visits")}
        expected = {str(code) for code, reason, _ in rows if reason is None}
        assert 0 < len(expected) < 150
        assert expected <= stored
        assert taken.stdout.splitlines()[-1] == f"{len(expected)} visits taken"
        assert all(": expected " in reason for reason in refused)
        assert desk.run("source", "run", "--once", **settings).stdout.splitlines()[-1] == "0 visits taken"


def test_a_driver_that_is_not_installed_is_named_with_its_setting(tmp_path: Path) -> None:
    """As after an installation without the extra: in a process in which the driver cannot be imported."""
    program = "import sys; sys.modules['asyncmy'] = None; from hip.entrypoints.cli.main import app; app()"
    settings = {
        "HIP_VISIT_SOURCE": "amrit",
        "HIP_AMRIT_URL": "mysql+asyncmy://hip@db.example.org/db_iemr",
        "HIP_STORAGE": "server",
    }
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("HIP_")}
    ended = subprocess.run(
        [sys.executable, "-c", program, "source", "run", "--once"],
        cwd=tmp_path,
        env={**surroundings, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.strip() == "HIP_AMRIT_URL: needs the driver asyncmy: pip install 'abdm-hip[mysql]'"


def test_a_missing_view_ends_the_command_with_its_name(desk: Desk, servers: Servers) -> None:
    with servers.scratch_database() as amrit:
        settings = {"HIP_VISIT_SOURCE": "amrit", "HIP_AMRIT_URL": amrit}
        assert desk.run("source", "sample", "--visits", "1", **settings).code == 0
        asyncio.run(asked(amrit, "DROP VIEW fhir_r_immunization"))
        ended = desk.run("source", "run", "--once", **settings)
        assert ended.code == 2
        assert "view fhir_r_immunization: expected to be there and readable, with the columns" in ended.stderr


def test_visits_are_taken_through_routines_and_a_missing_one_is_named(desk: Desk, servers: Servers) -> None:
    with servers.scratch_database() as amrit:
        settings = {"HIP_VISIT_SOURCE": "amrit", "HIP_AMRIT_URL": amrit, "HIP_AMRIT_RESULT_SETS": "routines"}
        assert desk.run("source", "sample", "--visits", "30", "--seed", "1", **settings).code == 0
        before = len(desk.rows("SELECT visit_code FROM visits"))
        taken = desk.run("source", "run", "--once", **settings)
        assert taken.code == 0
        stored = len(desk.rows("SELECT visit_code FROM visits")) - before
        assert 20 <= stored <= 30
        assert taken.stdout.splitlines()[-1] == f"{stored} visits taken"
        asyncio.run(asked(amrit, "DROP FUNCTION fhir_r_immunization"))
        ended = desk.run("source", "run", "--once", **settings)
        assert ended.code == 2
        assert "routine fhir_r_immunization: expected to be there and executable" in ended.stderr


def test_visits_of_an_amrit_on_mysql_are_taken_through_its_procedures(desk: Desk, mysql_url: str) -> None:
    asyncio.run(asked(mysql_url, "DROP DATABASE IF EXISTS amrit_e2e", "CREATE DATABASE amrit_e2e"))
    amrit = mysql_url.replace("localhost/?", "localhost/amrit_e2e?")
    settings = {"HIP_VISIT_SOURCE": "amrit", "HIP_AMRIT_URL": amrit, "HIP_AMRIT_RESULT_SETS": "routines"}
    assert desk.run("source", "sample", "--visits", "40", "--seed", "1", **settings).code == 0
    taken = desk.run("source", "run", "--once", **settings)
    assert taken.code == 0
    rows = asyncio.run(asked(amrit, "SELECT visitcode, hip_reason FROM ndhm_trg_visitdata"))
    expected = {str(row["visitcode"]) for row in rows if row["hip_reason"] is None}
    assert 0 < len(expected) <= 40
    assert taken.stdout.splitlines()[-1] == f"{len(expected)} visits taken"
    assert expected <= {code for (code,) in desk.rows("SELECT visit_code FROM visits")}
    assert all(": expected " in row["hip_reason"] for row in rows if row["hip_reason"] is not None)


def test_documents_of_amrit_are_taken_over_and_refused_ones_named(desk: Desk, servers: Servers, tmp_path: Path) -> None:
    with MongoClient[dict[str, Any]](servers.mongo_url) as client:
        name = f"{servers.mongo_database}_before"
        settings = {"HIP_AMRIT_MONGO_URL": servers.mongo_url, "HIP_AMRIT_MONGO_DATABASE": name}
        try:
            patients, bundles = client[name]["PatientCareContexts"], client[name]["AMRIT_Resource"]
            patients.insert_many([a_patient_document(1), a_patient_document(2, yearOfBirth="-", _id="odd")])
            bundles.insert_one(a_bundle_document({"resourceType": "Bundle"}))
            place = str(tmp_path / "position.json")
            first = desk.run("source", "import", "--position", place, **settings)
            assert first.code == 1
            assert first.stdout.splitlines()[-1] == (
                "1 taken, 1 stored as invalid (never sent), 0 known already, 1 refused, 0 in no patient's list"
            )
            assert first.stderr.strip() == "PatientCareContexts/odd: yearOfBirth: expected a year"
            patients.insert_one(a_patient_document(3))
            further = desk.run("source", "import", "--position", place, **settings)
            assert further.stdout.startswith("1 taken, 0 stored as invalid (never sent), 0 known already, 0 refused")
            again = desk.run("source", "import", **settings)
            assert again.stdout.startswith("0 taken, 0 stored as invalid (never sent), 3 known already, 1 refused")
            bundles.insert_one(a_bundle_document({"resourceType": "Bundle"}, visit=999))
            odd = desk.run("source", "import", "--position", place, **settings)
            assert (odd.code, odd.stdout.rpartition(", ")[2]) == (1, "1 in no patient's list\n")
            assert "VisitCode: expected a visit in the list of a patient" in odd.stderr
            assert desk.rows("SELECT count(*) FROM patients WHERE reference LIKE '3010%'") == [(2,)]
            assert desk.rows("SELECT version, valid FROM bundles WHERE visit_code = '701'") == [(0, False)]
        finally:
            client.drop_database(name)

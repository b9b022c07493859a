"""``hip source sample`` and ``run`` on a real AMRIT-shaped database."""

from collections.abc import Iterator

import pytest
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

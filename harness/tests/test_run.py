"""A run's private server: shared by all processes, and gone with the run however it ends."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import pytest
from support.processes import alive, kill_guard, processes, running, wait_until

from throwaway_mysql.errors import ServerError
from throwaway_mysql.folder import RunFolder, sweep_folders
from throwaway_mysql.login import Answer, Login, LoginError
from throwaway_mysql.run import RunLogin, keep_server, planned_login, run_server, ways_in

JOINS = """
import os, sys
from pathlib import Path
from throwaway_mysql.errors import ServerError
from throwaway_mysql.run import run_server
try:
    login = run_server(Path(sys.argv[1]), sys.argv[2])
    login.connect().close()
    print(login.first, flush=True)
except ServerError as error:
    print(error, flush=True)
os.kill(os.getpid(), 9)
"""
KEEPS = """
import sys, time
from pathlib import Path
from throwaway_mysql import folder
from throwaway_mysql.run import keep_server, run_server
folder.TMPFS, folder.ROOM = Path(sys.argv[1]), 0
run = folder.RunFolder()
keep_server(run_server(run.folder, sys.argv[2]))
print(run.folder, flush=True)
time.sleep(600)
"""
ENDED = "the private server of this run has ended"


@pytest.fixture
def run() -> Iterator[RunFolder]:
    """Return a run's folder."""
    with RunFolder() as run:
        yield run


@pytest.fixture
def login(run: RunFolder, mysql_program: str) -> RunLogin:
    """Start a run's server."""
    return run_server(run.folder, mysql_program)


def pid_of(folder: Path) -> int:
    """Return the process id of a run's server."""
    return int((folder / "data/mysqld.pid").read_text())


def test_all_processes_have_one_server_that_outlives_who_started_it(
    run: RunFolder, mysql_program: str
) -> None:
    with running(JOINS, run.folder, mysql_program) as (starter, line):
        assert line == "True"
        assert starter.wait() == -signal.SIGKILL
    with running(JOINS, run.folder, mysql_program) as (_, line):
        assert line == "False"
    login = run_server(run.folder, mysql_program)
    server = pid_of(run.folder)
    assert login.answer() is Answer.SERVICE
    run.close()
    assert not alive(server)
    assert not run.folder.exists()
    assert processes(run.folder) == []


def test_processes_that_begin_at_once_start_one(run: RunFolder, mysql_program: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        logins = list(pool.map(lambda _: run_server(run.folder, mysql_program), range(4)))
    assert [login.first for login in logins].count(True) == 1
    assert {login.answer() for login in logins} == {Answer.SERVICE}


@pytest.mark.parametrize("tcp", [False, True], ids=["socket", "port"])
def test_where_it_will_be_is_known_before_it_starts(
    run: RunFolder, mysql_program: str, *, tcp: bool
) -> None:
    planned = planned_login(run.folder, tcp=tcp)
    assert planned.answer() is Answer.NOTHING
    assert bool(planned.port) == tcp
    if tcp:
        with socket.socket() as another, pytest.raises(OSError, match="in use"):
            another.bind(("127.0.0.1", planned.port))
    login = run_server(run.folder, mysql_program, flags=["--max-connections=77"])
    assert astuple(login)[: len(astuple(planned))] == astuple(planned)
    assert planned_login(run.folder) == planned
    with planned.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@max_connections")
        assert cursor.fetchall() == ((77,),)


def test_what_is_wrong_is_the_same_line_in_each_process(run: RunFolder) -> None:
    with pytest.raises(ServerError, match="no server program at /nowhere") as error:
        run_server(run.folder, "/nowhere")
    with running(JOINS, run.folder, "") as (_, line):
        assert line == str(error.value)


def test_a_starter_that_is_killed_meanwhile_is_one_line(
    run: RunFolder, tmp_path: Path, mysql_program: str
) -> None:
    hangs = tmp_path / "mysqld"
    hangs.write_text(
        f"#!/bin/sh\ncase $* in *--version) echo Ver 10.11.6-MariaDB; exit;; esac\n"
        f"touch {tmp_path}/begun; exec sleep 600\n"
    )
    hangs.chmod(0o755)
    with running(f"print(flush=True)\n{JOINS}", run.folder, hangs) as (starter, _):
        wait_until((tmp_path / "begun").exists)
        starter.kill()
    with pytest.raises(ServerError, match=r"^the process that was starting .* has ended$"):
        run_server(run.folder, mysql_program)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (signal.SIGKILL, "it was killed, perhaps because memory ran out"),
        (signal.SIGTERM, r"[^\n]*([sS]hutdown|Server - end)[^\n]*"),
        (signal.SIGSEGV, r"[^\n]*got signal 11[^\n]*"),
    ],
    ids=["killed", "shut down", "crashed"],
)
def test_a_server_that_ends_in_mid_run_is_one_line_that_says_why(
    login: RunLogin, number: signal.Signals, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("time", "monotonic", "perf_counter"):  # clocks that freezegun freezes
        monkeypatch.setattr(time, name, lambda: 0.0)
    os.kill(pid_of(login.folder), number)
    while login.answer() is Answer.SERVICE:
        pass
    with pytest.raises(LoginError, match=rf"^{ENDED}: {reason}$") as error:
        login.connect()
    assert error.value.answer is Answer.NOTHING


def test_a_server_whose_folder_was_removed_is_one_line(login: RunLogin, run: RunFolder) -> None:
    run.close()
    with pytest.raises(LoginError, match=f"^{ENDED}: its folder has been removed$"):
        login.connect()


def test_a_kept_server_without_run_and_guard_is_spared_until_its_end(
    parent: Path, mysql_program: str
) -> None:
    with running(KEEPS, parent, mysql_program) as (_, folder):
        kill_guard(Path(folder))
    server = pid_of(Path(folder))
    sweep_folders()
    assert alive(server)
    os.kill(server, signal.SIGTERM)
    wait_until(lambda: not alive(server))
    sweep_folders()
    assert list(parent.iterdir()) == []


def test_a_server_that_cannot_be_kept_is_named(tmp_path: Path) -> None:
    login = RunLogin("localhost", 0, "root", "hidden", log=f"{tmp_path}/gone/server.log")
    line = rf"^the server in {tmp_path}/gone cannot be kept: No such file .*\({tmp_path}/gone/"
    with pytest.raises(ServerError, match=line):
        keep_server(login)


def test_the_way_in_of_a_server_of_ones_own_asks_for_the_password() -> None:
    line, command = ways_in(Login("::1", 3306, "a b", "p"), "d")
    assert line == "mysql://a%20b@[::1]:3306/d?charset=utf8mb4"
    assert command.strip() == "mysql -h ::1 -P 3306 -u 'a b' -p d"

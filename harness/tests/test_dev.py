"""The development server: it goes on, keeps its data, and adopts the current settings."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from support.processes import alive, kill_at, process, running, wait_until

from throwaway_mysql.dev import DevServer
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Answer, Login, LoginError
from throwaway_mysql.program import find_program
from throwaway_mysql.server import Server, free_port

PASSWORD = "%s%%@:/#?&;'\"`\\ $é☃"  # noqa: S105 (a test's own)
ROOT_PASSWORD = "r%o'o\"t☃"  # noqa: S105 (a test's own)
DIFFERS = "; the private server is running, but not with these settings: run `quart mysql stop`"
STARTS = f"""
import sys
from pathlib import Path
from throwaway_mysql.dev import DevServer
from throwaway_mysql.login import Login
user = Login("127.0.0.1", int(sys.argv[2]), "shop", {PASSWORD!r}, database="shop")
print(DevServer(Path(sys.argv[1]), user, {ROOT_PASSWORD!r}).start(sys.argv[3]))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DevServer]:
    """Return a server that has not been started; stop it at the end."""
    user = Login("127.0.0.1", free_port(), "shop", PASSWORD, database="shop")
    server = DevServer(tmp_path / "srv", user, ROOT_PASSWORD)
    yield server
    server.stop()


def pid_of(server: DevServer) -> int:
    """Return the server's process id."""
    return int((server.data / "mysqld.pid").read_text())


def with_user(server: DevServer, **changes: object) -> DevServer:
    """Return the server with other settings."""
    return DevServer(server.folder, replace(server.user, **changes), server.root.password)  # type: ignore[arg-type]


def refused(server: DevServer, program: str = "") -> str:
    """Return the error message of a refused start."""
    with pytest.raises(ServerError) as error:
        server.start(program)
    line = str(error.value)
    assert "\n" not in line
    assert PASSWORD not in line
    return line


def test_it_serves_the_account_keeps_its_data_and_outlives_its_starter(
    server: DevServer, mysql_program: str
) -> None:
    family = find_program(mysql_program).family
    where = f"the private {family} server answers at {server.user.address}"
    with running(STARTS, server.folder, server.user.port, mysql_program) as (starter, line):
        assert line == f"{where}, its data in {server.folder}"
        assert starter.wait() == 0
    assert replace(server.root, password="").answer() is Answer.REFUSAL
    with server.user.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mine AS SELECT 42 AS n")
        cursor.execute("CREATE DATABASE shop_test_1")
        cursor.execute("DROP DATABASE shop_test_1")
    assert server.start() == where
    assert server.status() == (True, where)
    command = process(pid_of(server))
    assert command
    assert os.getsid(pid_of(server)) != os.getsid(0)
    assert "--bind-address=127.0.0.1" in command.command
    for secret in (PASSWORD, ROOT_PASSWORD):
        assert secret not in command.command
        assert secret not in server.log.read_text(errors="replace")
    assert not list(server.folder.glob("*.sql"))
    assert server.stop() == "the private server has stopped"
    assert server.status() == (False, f"no server answers at {server.user.address}")
    assert server.stop() == "the private server is not running"
    server.start(mysql_program)
    os.kill(pid := pid_of(server), signal.SIGKILL)  # as when the machine crashes
    wait_until(lambda: not alive(pid))
    server.start(mysql_program)
    with server.user.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM mine")
        assert cursor.fetchall() == ((42,),)


def test_starts_at_once_make_one_server(server: DevServer, mysql_program: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        lines = list(pool.map(lambda _: server.start(mysql_program), range(4)))
    assert sum("its data in" in line for line in lines) == 1


def test_a_start_that_is_killed_leaves_nothing_half(
    server: DevServer, mysql_program: str, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    argv = [sys.executable, "-c", STARTS, str(server.folder), str(server.user.port), mysql_program]

    def begin() -> "subprocess.Popen[str]":
        server.stop()
        for folder in (cache, server.folder):
            shutil.rmtree(folder, ignore_errors=True)
        environ = os.environ | {"XDG_CACHE_HOME": str(cache)}
        return subprocess.Popen(argv, env=environ, text=True)

    kill_at("its system tables", begin, server.folder)
    assert not server.data.exists()
    server.stop()  # what makes the data goes on
    server.start(mysql_program)
    assert server.user.answer() is Answer.SERVICE


def test_changed_settings_are_taken_over_at_the_next_start(
    server: DevServer, mysql_program: str
) -> None:
    server.start(mysql_program)
    there = {"user": "stall", "password": "another", "database": "stall"}
    changed = DevServer(server.folder, replace(server.user, **there), "another root's")  # type: ignore[arg-type]
    for other in (with_user(server, port=free_port()), changed):  # and no second server
        assert DIFFERS in refused(other, mysql_program)
        answers, line = other.status()
        assert not answers
        assert DIFFERS in line
    server.stop()
    changed.start(mysql_program)
    for login in (changed.user, changed.root):
        login.connect().close()
    assert server.root.answer() is Answer.REFUSAL


def test_where_something_else_is_none_is_started(
    server: DevServer, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ["--max-connections=10"]
    with Server(mysql_program, flags=few) as other, ExitStack() as links:
        there = with_user(server, port=other.root.port)
        advice = "; run `quart mysql setup`, correct DB_PASSWORD, or set another DB_PORT"
        assert advice in refused(there)
        own = DevServer(server.folder, other.root, "").status()
        assert own == (True, f"a {other.program.family} server answers at {other.root.address}")
        with suppress(LoginError):  # once it is full
            while True:
                links.enter_context(other.root.connect())
        assert refused(there).endswith(" is full: Too many connections")
    monkeypatch.setattr("throwaway_mysql.dev.PATIENT", 0.5)
    with socket.create_server(("127.0.0.1", server.user.port)):
        assert "as a MySQL server; stop that, or set another DB_PORT" in refused(server)
    assert "; DB_HOST is not this machine" in refused(with_user(server, host="127.0.0.2"))
    assert not server.data.exists()


def test_data_of_the_other_family_are_not_touched(server: DevServer, mysql_program: str) -> None:
    server.data.mkdir(parents=True)
    family = find_program(mysql_program).family
    other = "MySQL" if family == "MariaDB" else "MariaDB"
    if other == "MariaDB":
        (server.data / "aria_log_control").touch()
    line = refused(server, mysql_program)
    assert f"was made by {other}, and {family}" in line
    assert "set MYSQLD to such a program" in line
    assert len(list(server.data.iterdir())) == (other == "MariaDB")


def test_what_the_server_says_is_one_line_that_names_its_log(
    server: DevServer, mysql_program: str
) -> None:
    server.start(mysql_program)
    server.stop()
    shutil.rmtree(server.data / "mysql")
    (server.data / "mysql.ibd").unlink(missing_ok=True)
    assert refused(server, mysql_program).endswith(f" ({server.log})")


def test_a_server_that_is_slow_to_greet_is_no_stranger(mysql_program: str, tmp_path: Path) -> None:
    with Server(mysql_program) as slow, ThreadPoolExecutor() as pool:
        os.kill(slow.pid, signal.SIGSTOP)  # its port still accepts connections
        status = pool.submit(DevServer(tmp_path, slow.root, "").status)
        with pytest.raises(TimeoutError):
            status.result(3)
        os.kill(slow.pid, signal.SIGCONT)
        assert status.result()[0]

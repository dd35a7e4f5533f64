"""The server of development: its folder has its own things only, and all of them."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from support.processes import MOMENTS, kill_at, process, processes, running, wait_until

from throwaway_mysql.dev import UNFINISHED, DevServer
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.program import find_program
from throwaway_mysql.server import Server, free_port

PASSWORD = "%s%%@:/#?&;'\"`\\ $é☃"  # noqa: S105 (a test's own)
ANOTHER, WRONG = "another", "wrong"
ROOT_PASSWORD = "r%o'o\"t☃"  # noqa: S105 (a test's own)
STARTS = f"""
import sys
from pathlib import Path
from throwaway_mysql import folder
from throwaway_mysql.dev import DevServer
from throwaway_mysql.login import Login
folder.TMPFS, folder.ROOM = Path(sys.argv[4]), 0
user = Login("127.0.0.1", int(sys.argv[2]), "shop", {PASSWORD!r}, database="shop")
print(DevServer(Path(sys.argv[1]), user, {ROOT_PASSWORD!r}).start(sys.argv[3]))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DevServer]:
    """Return a server that has not been started; what was is stopped."""
    user = Login("127.0.0.1", free_port(), "shop", PASSWORD, database="shop")
    server = DevServer(tmp_path / "srv", user, ROOT_PASSWORD)
    yield server
    if server.runs():
        server.stop()


def pid_of(server: DevServer) -> int:
    """Return the server's process."""
    return int((server.data / "mysqld.pid").read_text())


def with_user(server: DevServer, **changes: object) -> DevServer:
    """Return the server as other settings have it."""
    return DevServer(server.folder, replace(server.user, **changes), server.root.password)  # type: ignore[arg-type]


def refused(server: DevServer, program: str = "") -> str:
    """Return the line with which a start is refused."""
    with pytest.raises(ServerError) as error:
        server.start(program)
    line = str(error.value)
    assert "\n" not in line
    assert PASSWORD not in line
    return line


def test_it_serves_the_account_keeps_its_data_and_outlives_its_starter(
    server: DevServer, mysql_program: str, parent: Path
) -> None:
    argv = (STARTS, server.folder, server.user.port, mysql_program, parent)
    with running(*argv) as (starter, line):
        program = find_program(mysql_program)
        where = f"answers at {server.user.address}, its data in {server.folder}"
        assert line == f"a private {program} {where}"
        assert starter.wait() == 0
    assert server.root.answer() is Answer.SERVICE
    assert replace(server.root, password="").answer() is Answer.REFUSAL
    with server.user.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE mine AS SELECT 42 AS n")
        cursor.execute("CREATE DATABASE shop_test_1")
        cursor.execute("DROP DATABASE shop_test_1")
    assert server.start() == f"a {program.family} server answers at {server.user.address}"
    assert server.status() == (
        True,
        f"the private server ({program}) answers at {server.user.address}",
    )
    command = process(pid_of(server))
    assert command
    assert os.getsid(pid_of(server)) != os.getsid(0)
    assert "--bind-address=127.0.0.1" in command.command
    for secret in (PASSWORD, ROOT_PASSWORD):
        assert secret not in command.command
        assert secret not in server.log.read_text(errors="replace")
    assert server.stop() == "the private server has stopped"
    assert server.status() == (False, f"no server answers at {server.user.address}")
    assert server.stop() == "the private server is not running"
    server.start(mysql_program)
    os.kill(pid_of(server), signal.SIGKILL)  # as at the end of a machine
    server.start(mysql_program)
    with server.user.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM mine")
        assert cursor.fetchall() == ((42,),)


def test_starts_at_once_make_one_server(server: DevServer, mysql_program: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        lines = list(pool.map(lambda _: server.start(mysql_program), range(4)))
    family = find_program(mysql_program).family
    assert sorted(line.split(" ")[1] for line in lines) == [*[family] * 3, "private"]


def test_a_start_awaits_the_end_of_a_server_that_was_killed(
    server: DevServer, mysql_program: str
) -> None:
    server.start(mysql_program)
    with (server.folder / "running").open() as file, ThreadPoolExecutor() as pool:
        os.kill(pid_of(server), signal.SIGKILL)
        fcntl.flock(file, fcntl.LOCK_EX)  # as if the kernel still took it down
        starting = pool.submit(server.start, mysql_program)
        with pytest.raises(TimeoutError):
            starting.result(1)
        fcntl.flock(file, fcntl.LOCK_UN)
        starting.result()
    assert server.user.answer() is Answer.SERVICE


@pytest.mark.parametrize("moment", [*MOMENTS, "copy"])
def test_a_start_that_is_killed_leaves_nothing_half(
    server: DevServer,
    mysql_program: str,
    tmp_path: Path,
    parent: Path,
    moment: str,
) -> None:
    cache = tmp_path / "cache"
    argv = [sys.executable, "-c", STARTS, str(server.folder), str(server.user.port), mysql_program]

    def begin() -> "subprocess.Popen[str]":
        for folder in (cache, server.folder):
            shutil.rmtree(folder, ignore_errors=True)
        environ = os.environ | {"XDG_CACHE_HOME": str(cache)}
        return subprocess.Popen([*argv, str(parent)], env=environ, text=True)

    if moment == "copy":
        server.folder.mkdir()
        (server.folder / UNFINISHED / "mysql").mkdir(parents=True)
    else:
        kill_at(moment, begin, parent)
        wait_until(lambda: not processes(parent) and not list(parent.iterdir()))
        assert not server.data.exists()
    server.start(mysql_program)
    assert server.user.answer() is Answer.SERVICE
    assert not (server.folder / UNFINISHED).exists()


def test_no_server_is_made_among_things_of_a_person(server: DevServer, mysql_program: str) -> None:
    server.folder.mkdir()
    (server.folder / "novel").touch()
    assert "has novel in it, which is not a server's: move it away" in refused(
        server, mysql_program
    )
    assert {path.name for path in server.folder.iterdir()} == {"novel", "lock"}


def test_changed_settings_are_taken_over_at_the_next_start(
    server: DevServer, mysql_program: str
) -> None:
    server.start(mysql_program)
    line = refused(with_user(server, port=free_port()), mysql_program)
    assert "run `throwaway-mysql server stop`, or restore --port" in line  # and no second server
    for name in ("stall", "booth"):  # the one while it runs, the other while it is stopped
        changed = with_user(server, user=name, password=ANOTHER, database=name)
        changed.start(mysql_program)
        changed.user.connect().close()
        wrong = DevServer(server.folder, replace(changed.user, password=WRONG), WRONG)
        assert "was made with other settings" in refused(wrong, mysql_program)
        assert "; restore MYSQL_PWD, or stop it and move" in refused(wrong, mysql_program)
        server.stop()


def test_the_status_tells_another_server_from_the_private_one(
    server: DevServer, mysql_program: str
) -> None:
    with Server(mysql_program) as other:
        there = DevServer(server.folder, other.root, "")
        line = f"a server of your own answers at {other.root.address}"
        assert there.status() == (True, line)
        server.start(mysql_program)
        also = f"the private server is running at {server.user.address}"
        assert there.status() == (True, f"{line}; {also}")
    answers, line = with_user(server, password=ANOTHER).status()
    assert (answers, line.partition("; ")[2]) == (
        False,
        "the private server is running with other settings",
    )


@contextmanager
def full(mysql_program: str) -> Iterator[Login]:
    """Start a server that has no connection left."""
    with Server(mysql_program, flags=["--max-connections=10"]) as server:
        links = []
        try:
            while server.root.answer() is not Answer.FULL:
                links.append(server.root.connect())
            yield server.root
        finally:
            for link in links:
                link.close()


def test_where_something_else_is_none_is_started(
    server: DevServer, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.dev.PATIENT", 0.5)
    with socket.create_server(("127.0.0.1", server.user.port)):
        line = refused(server)
    taken = f"{server.user.address} is taken by something that is not a MySQL server: stop it,"
    assert line == f"{taken} or set another --port"
    assert "; --host is not this machine" in refused(with_user(server, host="127.0.0.2"))
    with full(mysql_program) as login:
        there = with_user(server, port=login.port)
        assert "is full: Too many connections" in refused(there)
    with Server(mysql_program) as other:
        there = with_user(server, port=other.root.port)
        assert "; correct MYSQL_PWD, or set another --port" in refused(there)
    assert not server.data.exists()


@pytest.mark.parametrize("made_by", ["MariaDB 99.1.2", "MySQL 99.1.2", ""])
def test_data_of_another_version_is_one_line(
    server: DevServer, mysql_program: str, made_by: str
) -> None:
    server.data.mkdir(parents=True)
    (server.data / "made-by").write_text(made_by)
    line = refused(server, mysql_program)
    if made_by:
        assert f"was made by {made_by}, which {find_program(mysql_program)} cannot read" in line
        assert "set --program to such a program" in line
    else:
        assert "made-by does not name a version: ''" in line


def test_damaged_notes_are_one_line(server: DevServer, mysql_program: str) -> None:
    server.start(mysql_program)
    made_by, pid = server.data / "made-by", server.data / "mysqld.pid"
    text = pid.read_text()
    pid.write_text("")
    with pytest.raises(ServerError, match="has no process id in"):
        server.stop()
    pid.write_text(text)
    made_by.unlink()
    with pytest.raises(ServerError, match=f"^cannot use .*: No such file .*{made_by}"):
        server.status()


@pytest.mark.parametrize("megabytes", [1, 24])
def test_a_full_disk_is_one_line(server: DevServer, mysql_program: str, megabytes: int) -> None:
    server.folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(server.folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this user mounts no disk")
    try:
        assert "the disk is full: make room" in refused(server, mysql_program)
    finally:
        subprocess.run(["umount", "-l", server.folder], check=True)  # noqa: S607


def test_a_server_that_is_slow_to_greet_is_no_stranger(mysql_program: str, tmp_path: Path) -> None:
    with Server(mysql_program) as slow, ThreadPoolExecutor() as pool:
        os.kill(slow.pid, signal.SIGSTOP)  # its port takes connections all the same
        status = pool.submit(DevServer(tmp_path, slow.root, "").status)
        with pytest.raises(TimeoutError):
            status.result(3)
        os.kill(slow.pid, signal.SIGCONT)
        line = f"a server of your own answers at {slow.root.address}"
        assert status.result() == (True, line)


def test_a_login_that_lacks_a_package_is_told_and_no_server_started(
    server: DevServer, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_program(mysql_program).family == "MariaDB":
        pytest.skip("it takes a password without RSA")
    with Server(mysql_program) as there:
        monkeypatch.setattr("pymysql._auth._have_cryptography", False)
        assert "needs cryptography: pip install" in refused(with_user(server, port=there.root.port))
    assert not server.data.exists()

"""A private server: it behaves like a default one, lives with its process, and fails clearly."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.processes import MOMENTS, alive, kill_at, processes, wait_until

from throwaway_mysql.errors import ServerError
from throwaway_mysql.folder import BEGIN, TMPFS
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.program import find_program
from throwaway_mysql.server import Server

FORKS = """
import os, sys, warnings
from throwaway_mysql.server import Server
warnings.simplefilter("error")
server = Server(sys.argv[1])
child = os.fork()
if not child:
    server.close()
    server.close()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
assert server.folder.is_dir() and server.runs
server.stop()
server.start()
server.close()
assert not server.folder.exists()
"""
BUILDS = """
import sys
from pathlib import Path
from throwaway_mysql import folder, server
folder.TMPFS, folder.ROOM = Path(sys.argv[2]), 0
server.Server(sys.argv[1]).close()
"""


@pytest.fixture
def server(mysql_program: str) -> Iterator[Server]:
    """Start a server."""
    with Server(mysql_program) as server:
        yield server


def ask(login: Login, *statements: str) -> Any:
    """Execute statements; return the rows of the last."""
    with login.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def test_close_leaves_nothing(server: Server) -> None:
    assert server.root.answer() is Answer.SERVICE
    server.close()
    assert not alive(server.pid)
    assert not server.folder.exists()
    assert processes(server.folder) == []
    assert server.root.answer() is Answer.NOTHING
    server.close()


def test_it_means_what_a_default_server_means(mysql_program: str) -> None:
    with Server(mysql_program, tcp=False, flags=["--max-connections=77"]) as server:
        ask(server.root, "CREATE DATABASE tenant_1", "CREATE TABLE tenant_1.t (a TEXT)")
        assert "utf8mb4" in ask(server.root, "SHOW CREATE TABLE tenant_1.t")[0][1]
        rows = ask(
            server.root,
            "SELECT CONVERT_TZ('2026-07-01 12:00', 'UTC', 'Europe/Oslo'),"
            " CONVERT_TZ('2026-01-01 12:00', 'America/New_York', 'UTC'), @@max_connections",
        )
        assert [*map(str, rows[0])] == ["2026-07-01 14:00:00", "2026-01-01 17:00:00", "77"]


def test_only_its_own_root_may_enter_and_no_process_list_shows_the_password(
    server: Server,
) -> None:
    for user, password in (("root", ""), ("", ""), ("root", "root")):
        login = replace(server.root, user=user, password=password)
        assert login.answer() is Answer.REFUSAL
    assert server.root.password not in str(processes(server.folder))
    assert not list(server.folder.glob("*.sql"))


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=lambda by: by.name)
def test_it_is_stopped_and_started_with_its_data(server: Server, by: signal.Signals) -> None:
    ask(server.root, "CREATE DATABASE mine")
    server.stop(by)
    server.stop(by)
    assert server.root.answer() is Answer.NOTHING
    server.start()
    assert ask(server.root, "SHOW DATABASES LIKE 'mine'") == (("mine",),)


def test_a_durable_one_flushes_each_commit(mysql_program: str) -> None:
    query = "SELECT @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite"
    with Server(mysql_program, durable=True) as server:
        assert ask(server.root, query) in (((1, 1),), ((1, "ON"),))
        assert not server.folder.is_relative_to(TMPFS)


def test_a_forked_child_that_closes_it_leaves_it_to_its_parent(mysql_program: str) -> None:
    argv = [sys.executable, "-c", FORKS, mysql_program]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_outlives_one_that_is_killed_while_the_server_gets(
    mysql_program: str,
    parent: Path,
    tmp_path_factory: pytest.TempPathFactory,
    moment: str,
) -> None:
    caches = []

    def begin() -> "subprocess.Popen[str]":
        caches.append(tmp_path_factory.mktemp("cache"))  # without a template
        environ = os.environ | {"XDG_CACHE_HOME": str(caches[-1])}
        argv = [sys.executable, "-c", BUILDS, mysql_program, str(parent)]
        return subprocess.Popen(argv, env=environ, text=True)

    kill_at(moment, begin, parent)
    wait_until(lambda: not processes(parent) and not list(parent.iterdir()))
    assert bool(list(caches[-1].rglob("*.template"))) == (moment == "its first password")


def test_nobody_gets_its_port_by_chance_while_it_is_stopped(server: Server) -> None:
    server.stop()
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("127.0.0.1", server.root.port))


def test_an_option_that_the_server_does_not_know_is_one_line(mysql_program: str) -> None:
    with pytest.raises(ServerError, match=r": .*\[ERROR\].*no-such-option") as error:
        Server(mysql_program, flags=["--no-such-option=/"])
    assert "\n" not in str(error.value)
    assert "server.log" not in str(error.value)  # the log is removed with it


@pytest.mark.parametrize(
    ("end", "line"),
    [
        ("exit 1", "the data folder could not be made: it gave no reason"),
        ("kill -9 $$", "the data folder could not be made: it was ended by signal 9"),
    ],
    ids=["silent", "killed"],
)
def test_a_script_that_is_no_server_is_one_line_and_nothing_is_left(
    mysql_program: str, parent: Path, monkeypatch: pytest.MonkeyPatch, end: str, line: str
) -> None:
    script = parent / "script"
    script.write_text(
        f'#!/bin/sh\n[ "$2" = --version ] && exec "$REAL" "$@"\n'
        f'[ "$2" = --verbose ] && exec "$REAL" "$@"\n{end}\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("REAL", mysql_program)
    monkeypatch.setenv("XDG_CACHE_HOME", str(parent / "cache"))
    with pytest.raises(ServerError) as error:
        Server(str(script))
    assert str(error.value).endswith(line)
    assert "\n" not in str(error.value)
    wait_until(lambda: not [one for one in processes(parent) if "--datadir" in one])
    assert list(parent.glob(f"{BEGIN}*")) == []


def test_what_a_login_by_tcp_lacks_is_told_at_once(
    mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_program(mysql_program).family == "MariaDB":
        pytest.skip("it takes a password without RSA")
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    line = r"needs cryptography: pip install 'throwaway-mysql\[rsa\]'$"
    with pytest.raises(ServerError, match=line):
        Server(mysql_program)
    Server(mysql_program, tcp=False).close()


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a small disk; skip if that is not allowed."""
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(argv, capture_output=True, check=False).returncode:
        pytest.skip("this user mounts no disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


# On the last one, the server finds no room for the rows of its system tables, and waits.
@pytest.mark.parametrize(
    ("size", "has_template"),
    [("16k", True), ("1m", True), ("16k", False), ("1m", False), ("6m", False), ("34m", False)],
)
def test_a_full_disk_is_one_line_and_nothing_is_left(
    mysql_program: str,
    parent: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
    *,
    has_template: bool,
) -> None:
    if has_template:
        Server(mysql_program).close()
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with disk(parent / "disk", size) as full:
        monkeypatch.setattr("throwaway_mysql.folder.TMPFS", full)
        with pytest.raises(ServerError, match="the disk is full: make room") as error:
            Server(mysql_program)
        assert "\n" not in str(error.value)
        assert list(full.iterdir()) == []
        assert processes(full) == []


def test_a_full_cache_does_not_matter(
    mysql_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disk(tmp_path / "disk", "1m") as cache:
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        with Server(mysql_program) as server:
            assert server.root.answer() is Answer.SERVICE
        assert list(cache.rglob("*.template")) == list(cache.rglob("*.part")) == []


def test_the_plugin_x_does_not_run(server: Server) -> None:
    if server.program.family == "MariaDB":
        pytest.skip("it has none")
    query = "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'mysqlx'"
    assert ask(server.root, query) in ((), (("DISABLED",),))

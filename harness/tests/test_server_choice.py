"""The server that a run's tests use: chosen, waited for or replaced; and the messages."""

import re
import socket
import time
from dataclasses import replace
from typing import Any

import pytest

from throwaway_mysql import ServerError, free_port
from throwaway_mysql.login import REMOTE, Login
from throwaway_mysql.program import find_program
from throwaway_mysql.server_choice import answering

USES = """
def test_it(create_db, mysql_server):
    print("folder", getattr(mysql_server, "folder", None))
"""
TWO_ACCOUNTS = """
import pytest
from throwaway_mysql import Login

@pytest.fixture(scope="session")
def mysql_configured():
    return [Login(host, {port}, "root", "") for host in ("127.0.0.1", "127.0.0.1", "localhost")]
"""
NOTHING_INSTALLED = """
import os
from throwaway_mysql import program

program.FOLDERS = ["/nowhere/sbin"]
"""


def nobody() -> Login:
    """Return an account at an address of this machine where nothing answers."""
    return Login("127.0.0.1", free_port(), "root", "")


def elsewhere(port: int) -> Login:
    """Return an account on this machine, at an address that does not look like it."""
    return Login("127.1", port, "root", "")


def test_a_server_elsewhere_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    far = elsewhere(free_port())
    monkeypatch.setenv(REMOTE, far.host)
    began = time.monotonic()
    for logins in ([far, nobody()], [nobody(), far]):
        with pytest.raises(ServerError, match=f"no server answers at {far.address}"):
            answering(logins, wait=0.3)
    assert time.monotonic() - began > 0.6


def test_a_server_elsewhere_that_nobody_allowed_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(REMOTE, "db.example, 192.0.2.2")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        line = f"127.1:{port} is not this machine.* set {REMOTE}=127.1$"
        with pytest.raises(ServerError, match=line):
            answering([elsewhere(port)])
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):  # nothing has tried to connect
            listener.accept()


def test_a_server_of_this_machine_is_not_waited_for() -> None:
    assert answering([nobody()]) is None
    assert answering([]) is None


def test_the_first_account_that_is_let_in_is_taken_or_a_refusal_told(mysql_server: Login) -> None:
    wrong = replace(mysql_server, password="wrong")  # noqa: S106
    assert answering([wrong, mysql_server]) == mysql_server
    for logins in ([wrong, nobody()], [nobody(), wrong]):
        with pytest.raises(ServerError, match=f"the server at {wrong.address} refused"):
            answering(logins)


def test_the_configured_server_is_named_before_its_databases(project: Any, narrow: Login) -> None:
    output = project.run(it=USES).stdout.str()
    assert f"Using the server at {narrow.address}, which answered\nCreating db\n" in output
    assert narrow.password not in output


def test_a_private_server_is_named_with_its_program_and_its_folder(
    private_project: Any, mysql_program: str
) -> None:
    output = private_project.run(it=USES).stdout.str()
    program = re.escape(str(find_program(mysql_program)))
    (folder,) = re.findall(f"Using {program}, private, in (/\\S+)\nCreating db\n", output)
    assert f"folder {folder}\n" in output
    assert "nothing answers" not in output


def test_a_private_one_where_another_is_configured_is_told_once(
    private_project: Any, mysql_program: str
) -> None:
    port = free_port()
    result = private_project.run("-n2", conftest=TWO_ACCOUNTS.format(port=port), it=USES, two=USES)
    result.assert_outcomes(passed=2)
    where = f"127.0.0.1:{port} or localhost:{port}"
    line = f"nothing answers at {where}: the tests used a private {find_program(mysql_program)}"
    assert result.stdout.str().count(line) == 1


def test_where_there_is_none_one_line_tells_where_it_was_looked_for(
    private_project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THROWAWAY_MYSQLD")
    monkeypatch.setenv("PATH", "/nowhere/bin")
    conftest = TWO_ACCOUNTS.format(port=(port := free_port())) + NOTHING_INSTALLED
    result = private_project.run(conftest=conftest, it=USES)
    result.stdout.fnmatch_lines(
        [f"*no server answers at 127.0.0.1:{port} or localhost:{port}, and this machine has no *"]
    )
    assert "throwaway_mysql/" not in result.stdout.str()


def test_an_account_that_is_not_tried_is_not_named(private_project: Any) -> None:
    conftest = TWO_ACCOUNTS.format(port=1)
    result = private_project.run("--mysqld=/nowhere/mysqld", conftest=conftest, it=USES)
    result.stdout.re_match_lines(["(E +)?there is no server program at /nowhere/mysqld: install"])


def test_flags_reach_a_private_server(private_project: Any) -> None:
    tests = """
def test_it(create_db):
    with create_db.login.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@max_connections, @@character_set_server")
        assert cursor.fetchall() == ((77, "utf8mb4"),)
        cursor.execute("SELECT CONVERT_TZ('2026-01-01 00:00', 'UTC', 'Europe/Oslo') IS NULL")
        assert cursor.fetchall() == ((0,),)
"""
    private_project.run(ini="mysqld_flags = --max-connections=77\n", it=tests).assert_outcomes(
        passed=1
    )

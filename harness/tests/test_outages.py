"""A server that goes away during a run: clear errors, no hang, and nothing left later."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from throwaway_mysql import Login, Server, throwaway_prefix
from throwaway_mysql.databases import Databases
from throwaway_mysql.grants import set_up

PREFIX = throwaway_prefix("away")
# The server ends in the second test; SERVER says how.
TESTS = """
import os, signal, time
from pathlib import Path

def test_before(create_db):
    pass

def test_during(create_db, mysql_server):
    pid = int(Path(os.environ["SERVER_PID"].format(mysql_server)).read_text())
    os.kill(pid, signal.SIGKILL)
    while mysql_server.answer().name != "NOTHING":
        time.sleep(0.01)
"""
AFTER = """
def test_after(create_db):
    pass

def test_without():
    pass
"""


@pytest.fixture
def server(mysql_program: str) -> Iterator[Server]:
    """Start a server that a run's test ends."""
    with Server(mysql_program) as server:
        with server.root.connect() as connection:
            set_up(connection, "away", "away", "a password")
        yield server


def errors(result: pytest.RunResult) -> list[str]:
    """Return the text below each error's heading."""
    parts = re.split(r"^_+ ERROR at .* _+$", result.stdout.str(), flags=re.M)[1:]
    return [re.split(r"^[-=]+ ", part, flags=re.M)[0].strip() for part in parts]


def test_a_configured_one(project: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    user = Login(server.root.host, server.root.port, "away", "a password")
    monkeypatch.setenv("THROWAWAY_MYSQL_URL", user.url())
    monkeypatch.setenv("SERVER_PID", str(server.folder / "data/mysqld.pid"))
    project.prefix = PREFIX
    result = project.spawn(before=TESTS, later=AFTER)
    result.assert_outcomes(passed=3, errors=2)
    for error in errors(result):
        assert f"no server answers at {user.address}" in error
        assert "\n" not in error
    server.stop()  # it has been killed
    server.start()
    result = project.spawn(later=AFTER, before="")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["dropped what a killed run left: *"])
    assert Databases(user, PREFIX).survey() == []


def test_a_private_one(private_project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_PID", "{0.folder}/data/mysqld.pid")
    result = private_project.spawn(before=TESTS, later=AFTER)
    result.assert_outcomes(passed=3, errors=2)
    for error in errors(result):
        assert "the private server of this run has ended: " in error
        assert "\n" not in error

"""The configured server, as the plugin asks it: taken, waited for, or done without."""

import socket
import time
from dataclasses import replace
from typing import Any

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.databases.place import REMOTE
from throwaway_mysql.login import Login
from throwaway_mysql.plugin.server_fixtures import configured_login
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.testing.slowness import slow_to_greet


def nobody() -> Login:
    """Return an account of this machine where nothing answers."""
    return Login("127.0.0.1", free_port(), "root", "")


def test_a_server_that_is_slow_to_greet_is_let_in(mysql_server: Login) -> None:
    with slow_to_greet(mysql_server) as slow:
        assert configured_login([slow], wait=0) == slow


def test_a_server_elsewhere_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = Login("127.1", free_port(), "root", "")  # loopback, yet by no name that tells so
    monkeypatch.setenv(REMOTE, elsewhere.host)
    began = time.monotonic()
    for logins in ([elsewhere, nobody()], [nobody(), elsewhere]):
        with pytest.raises(ServerError, match=f"no server answers at {elsewhere.address}"):
            configured_login(logins, wait=0.3)
    assert time.monotonic() - began > 0.6


@pytest.mark.parametrize("told", ["", "db.example, 192.0.2.2"])
def test_a_server_elsewhere_that_nobody_allowed_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv(REMOTE, told)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        elsewhere = Login("127.1", port, "root", "")  # loopback, yet by no name that tells so
        line = f"127.1:{port} is not this machine.* set {REMOTE}=127.1$"
        with pytest.raises(ServerError, match=line):
            configured_login([elsewhere], wait=60)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):  # nobody has tried to connect
            listener.accept()


@pytest.mark.parametrize(
    "where", [{}, {"host": "127.0.0.2"}, {"host": "db", "unix_socket": "/nowhere/sock"}]
)
def test_a_server_of_this_machine_is_not_waited_for(where: dict[str, Any]) -> None:
    assert configured_login([replace(nobody(), **where)], wait=60) is None
    assert configured_login([], wait=60) is None


def test_a_refusal_is_told_where_another_meets_nothing(mysql_server: Login) -> None:
    wrong = replace(mysql_server, password="wrong")  # noqa: S106
    for logins in ([wrong, nobody()], [nobody(), wrong]):
        with pytest.raises(ServerError, match=f"the server at {wrong.address} refused"):
            configured_login(logins, wait=60)


def test_the_first_account_that_is_let_in_is_taken(mysql_server: Login) -> None:
    wrong = replace(mysql_server, password="wrong")  # noqa: S106
    assert configured_login([wrong, mysql_server], wait=0) == mysql_server

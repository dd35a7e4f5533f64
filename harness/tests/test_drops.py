"""A drop of a database: whatever uses it is ended, and who held locks is reported."""

from collections.abc import Iterator

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from support.databases import exist, holding
from support.processes import wait_until
from support.sql import run

from throwaway_mysql.connections import rows, users
from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.server import Server


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[Server]:
    """Start a server of this module's own, which shows who holds which lock."""
    flags = ["--performance-schema=ON"]
    flags += ["--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"]
    with Server(mysql_program, flags=flags) as server:
        yield server


def test_engines_that_keep_connections_do_not_fill_the_server(databases: Databases) -> None:
    """As tests do that make an engine each and never dispose of it."""
    names, pools = [], []
    for _ in range(20):
        database = databases.create("test_it.py")
        names.append(database.name)
        pool = [database.login.connect() for _ in range(3)]
        for connection in pool:
            connection.select_db(database.name)
        pools.append(pool)
        databases.drop(database.name)
    with databases.connected("") as connection:
        wait_until(lambda: not any(users(connection, name) for name in names))
    for connection in (connection for pool in pools for connection in pool):
        with pytest.raises(pymysql.MySQLError):
            connection.ping(reconnect=False)
    assert databases.leaks == []


@pytest.mark.parametrize(
    "statements",
    [
        ["BEGIN", "SELECT * FROM t"],
        ["LOCK TABLES t WRITE"],
        ["BEGIN", "INSERT INTO t VALUES (1)"],
    ],
    ids=["read", "locked", "written"],
)
def test_who_holds_locks_is_ended_and_named_with_what_the_database_was_for(
    databases: Databases, statements: list[str]
) -> None:
    database = databases.create("tests/test_shop.py")
    run(databases.login, database.name, "CREATE TABLE t (n INT)")
    with holding(databases.login, database.name, *statements) as number:
        databases.drop(database.name)
        assert exist(databases.login, databases.prefix) == set()
        [leak] = databases.leaks
        of = f"{database.name} (of tests/test_shop.py): connection {number} of "
        assert leak.startswith(of + databases.login.user)


def test_who_holds_locks_from_another_database_is_ended_where_the_server_tells(
    server: Server,
) -> None:
    databases = Databases(server.root, "shop_test_")
    name = databases.create().name
    run(server.root, name, "CREATE TABLE t (n INT)")
    with holding(server.root, name, "BEGIN", "SELECT * FROM t", "USE mysql") as number:
        databases.drop(name)
    [leak] = databases.leaks
    assert f"connection {number} " in leak
    databases.close()


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_one_that_holds_nothing_is_no_leak(databases: Databases) -> None:
    database = databases.create()
    run(databases.login, database.name, "CREATE TABLE t (n INT)")
    with (
        holding(databases.login, database.name, "SELECT * FROM t"),
        holding(databases.login, database.name, "BEGIN", "SELECT * FROM t") as number,
    ):
        databases.drop(database.name)
    [leak] = databases.leaks
    assert f"connection {number} " in leak


def test_locks_of_a_person_whom_the_account_may_not_end_are_one_line(
    mysql_root: Login, narrow: Login, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.connections.WAITS", (1, 1, 1))
    databases = Databases(narrow, prefix)
    name = databases.create().name
    run(narrow, name, "CREATE TABLE t (n INT)")
    with (
        holding(mysql_root, name, "BEGIN", "SELECT * FROM t"),
        pytest.raises(ServerError, match=f"a transaction that {narrow.user} cannot see or"),
    ):
        databases.drop(name)
    databases.drop(name)
    databases.close()


class Hasty(Login):
    """An account that gives the server a second for all that is not known to take long."""

    def connect(self, timeout: float = 1, client_flag: int = 0) -> "Connection[Cursor]":
        """Return a connection as Login.connect() does."""
        return super().connect(timeout, client_flag)


def test_a_drop_may_take_longer_than_other_statements(
    narrow: Login, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.connections.WAITS", (3, 1, 1))
    hasty = Hasty(narrow.host, narrow.port, narrow.user, narrow.password, narrow.unix_socket)
    databases = Databases(hasty, prefix)
    name = databases.create().name
    run(narrow, name, "CREATE TABLE t (n INT)")
    with holding(narrow, name, "BEGIN", "SELECT * FROM t"):
        databases.drop(name)
    assert len(databases.leaks) == 1
    with (
        pytest.raises(ServerError, match=r"no look at .*: Lost connection"),
        databases.connected("no look at the server") as connection,
    ):
        rows(connection, "DO SLEEP(3)")
    databases.close()

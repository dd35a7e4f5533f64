"""Drops: all connections to the database are ended, and those that held locks reported."""

import pymysql
import pytest
from support.databases import exist, holding
from support.processes import wait_until
from support.sql import run

from throwaway_mysql.connections import users
from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login


def test_engines_that_keep_connections_do_not_fill_the_server(databases: Databases) -> None:
    """Use a database like tests that each make an engine and never dispose of it."""
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
    login, name = databases.login, databases.create("tests/test_shop.py").name
    run(login, name, "CREATE TABLE t (n INT)")
    with (
        holding(login, name, "SELECT * FROM t"),  # holds no locks
        holding(login, name, *statements) as number,
    ):
        databases.drop(name)
    assert exist(login, databases.prefix) == set()
    leak = f"{name} (of tests/test_shop.py): connection {number} of {login.user}"
    assert any(line.startswith(leak) for line in databases.leaks)
    if login.user == "root" and statements[0] == "BEGIN":  # otherwise lock holders are not visible
        assert len(databases.leaks) == 1


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


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_a_drop_may_take_longer_than_a_login(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Login.connect, "__defaults__", (1, 0))  # seconds, and no flags
    monkeypatch.setattr("throwaway_mysql.connections.WAITS", (3, 1, 1))
    name = databases.create().name
    run(databases.login, name, "CREATE TABLE t (n INT)")
    with holding(databases.login, name, "BEGIN", "SELECT * FROM t"):
        databases.drop(name)
    assert len(databases.leaks) == 1

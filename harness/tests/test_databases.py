"""Throwaway databases: their properties, allowed servers, and what their process may do."""

import os
import signal
from collections.abc import Iterator

import pytest
from support.databases import exist, made
from support.sql import run

from throwaway_mysql.clone import Template
from throwaway_mysql.connections import rows
from throwaway_mysql.databases import Database, Databases, throwaway_database
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.owner import Owner
from throwaway_mysql.schema import CallableSchema
from throwaway_mysql.server import Server
from throwaway_mysql.tls import Tls


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[Server]:
    """Start this module's own server, which keeps names in lower case."""
    with Server(mysql_program, flags=["--lower-case-table-names=1"]) as server:
        yield server


@pytest.mark.parametrize("collation", ["latin1_bin", "utf8mb4_unicode_ci"])
def test_every_database_is_of_utf8mb4(server: Server, collation: str) -> None:
    run(server.root, "mysql", f"SET GLOBAL collation_server = {collation}")
    with throwaway_database(server.root) as database:
        query = "SELECT @@character_set_database, @@collation_database"
        [(charset, found)] = run(server.root, database.name, query)
    assert charset == "utf8mb4"
    assert (found == collation) == collation.startswith("utf8mb4")


def test_a_database_is_what_its_settings_lead_to(databases: Databases) -> None:
    one, two = databases.create(), databases.create("second")
    run(one.login, one.name, "CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1)")
    assert run(one.login, one.name, "SELECT * FROM t") == [(1,)]
    assert run(two.login, two.name, "SHOW TABLES") == []  # it is empty
    assert one.environ()["DB_PORT"] == str(databases.login.port)
    assert one.url() == databases.login.url("mysql", one.name)
    assert Login.from_url(one.url("aiomysql")).database == one.name
    databases.drop(one.name)
    assert exist(databases.login, databases.prefix) == {two.name}
    databases.drop(one.name)  # no longer exists
    databases.drop_all()
    assert exist(databases.login, databases.prefix) == set()


def test_settings_stay_settings_where_they_are_merged_and_show_no_password() -> None:
    login = Login("127.0.0.1", 1, "me", "secret", tls=Tls("preferred"))
    database = Database.of(login, "a")
    assert database.login == login
    for merged in (database | {"DEBUG": True}, {"DEBUG": True} | database):
        assert merged["DEBUG"]
        assert merged.url("pymysql") == login.url("pymysql", "a")
    assert "secret" not in repr(database)


def test_outside_of_fixtures_a_database_lasts_as_long_as_its_block(
    account: Login, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with throwaway_database(account, prefix) as one:
        with throwaway_database(account, prefix, "two") as two:
            run(account, two.name, "CREATE TABLE t (n INT)")
            assert exist(account, prefix) == {one.name, two.name}
            forgotten = account.connect()
            rows(forgotten, f"LOCK TABLES {two.name}.t WRITE")
            forgotten.select_db(two.name)
        assert exist(account, prefix) == {one.name}
    assert exist(account, prefix) == set()
    assert f"a leak: {two.name} (of two): connection" in caplog.text


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_a_forked_child_cannot_harm_its_parents(databases: Databases) -> None:
    name = databases.create().name
    if not (pid := os.fork()):
        try:
            databases.drop(name)
        except ServerError:
            Databases(databases.login, databases.prefix).drop_all()
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert exist(databases.login, databases.prefix) == {name}
    databases.drop(name)


def test_it_goes_on_after_the_server_was_restarted(server: Server) -> None:
    databases = Databases(server.root, "shop_test_")
    name = databases.create().name
    server.stop(signal.SIGKILL)
    with pytest.raises(ServerError, match="no server answers"):
        databases.create()
    server.start()
    databases.drop(name)
    assert exist(server.root, "shop_test_") == set()


def test_on_a_server_that_keeps_names_in_lower_case_all_is_the_same(
    server: Server, gone: Owner
) -> None:
    databases = Databases(server.root, "shop_test_")
    left, mine = made(databases, gone), databases.create().name
    assert databases.sweep() == [left]
    databases.keep(mine)
    databases.drop_all()
    assert exist(server.root, "shop_test_") == {mine}
    databases.drop(mine)


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_what_the_server_refuses_is_one_line(account: Login, narrow: Login, prefix: str) -> None:
    elsewhere = Databases(narrow, "elsewhere_test_")
    with pytest.raises(ServerError, match=r"^elsewhere_test_\w+ was not made at .*: Access denied"):
        elsewhere.create()
    # Like a run whose account may not make databases with the prefix.
    with pytest.raises(ServerError, match=r"^elsewhere_test_\w+ was not made at .*: Access denied"):
        Template.make(elsewhere, CallableSchema(run), Owner.me())
    wrong = Databases(Login(account.host, account.port, "nobody", "no"), prefix)
    with pytest.raises(ServerError, match="refused nobody"):
        wrong.sweep()

"""Throwaway databases: unique, dropped whatever happens, and nothing else is."""

import secrets
import threading
import time
from contextlib import closing, suppress
from dataclasses import replace

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import ServerError
from throwaway_mysql.databases import holders
from throwaway_mysql.databases.database import Coordinates, drop, throwaway_database
from throwaway_mysql.databases.holders import LOCK_WAITS, connections
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import WITHIN, databases, wait_until


def test_it_is_there_in_the_block_and_gone_after_it(mysql_root: Login) -> None:
    with throwaway_database(mysql_root, "thing") as coordinates:
        name = coordinates["DATABASE_NAME"]
        assert name.startswith("thing_test_")
        assert name in databases(mysql_root)
    assert name not in databases(mysql_root)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_is_gone_after_an_error(mysql_root: Login, error: type[BaseException]) -> None:
    with pytest.raises(error), throwaway_database(mysql_root, "thing") as coordinates:
        raise error
    assert coordinates["DATABASE_NAME"] not in databases(mysql_root)


@pytest.mark.parametrize("name", ["x" * 64, "My Shop-2", "İ" * 64])
def test_names_differ_and_fit_whatever_the_project_is_called(mysql_root: Login, name: str) -> None:
    with (
        throwaway_database(mysql_root, name) as one,
        throwaway_database(mysql_root, name) as other,
    ):
        assert one["DATABASE_NAME"] != other["DATABASE_NAME"]
        assert {one["DATABASE_NAME"], other["DATABASE_NAME"]} <= databases(mysql_root)


def test_databases_with_like_names_stay(mysql_root: Login) -> None:
    with throwaway_database(mysql_root, "thing") as mine:
        with throwaway_database(mysql_root, "thing") as another:
            assert another["DATABASE_NAME"] in databases(mysql_root)
        assert mine["DATABASE_NAME"] in databases(mysql_root)
        assert another["DATABASE_NAME"] not in databases(mysql_root)


def test_text_is_utf8mb4(mysql_root: Login) -> None:
    with (
        throwaway_database(mysql_root, "thing") as coordinates,
        mysql_root.connect() as connection,
    ):
        connection.select_db(coordinates["DATABASE_NAME"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@character_set_database")
            assert cursor.fetchone() == ("utf8mb4",)


def test_a_forgotten_transaction_does_not_keep_it(mysql_root: Login) -> None:
    forgotten: Connection[Cursor]
    with throwaway_database(mysql_root, "thing") as coordinates:
        forgotten = mysql_root.connect()
        forgotten.select_db(coordinates["DATABASE_NAME"])
        with forgotten.cursor() as cursor:
            cursor.execute("CREATE TABLE t (n INT)")
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO t VALUES (1)")
    assert coordinates["DATABASE_NAME"] not in databases(mysql_root)
    forgotten.close()


def test_a_transaction_that_keeps_it_is_ended_and_reported(account: Login, prefix: str) -> None:
    run = Run.begin(prefix)
    with (
        closing(run),
        throwaway_database(account, "", run) as coordinates,
        Place(account) as idle,
        Place(account) as busy,
    ):
        name = coordinates["DATABASE_NAME"]
        for place in (idle, busy):
            place.connection.select_db(name)
        idle.rows("CREATE TABLE t (n INT)")
        idle.rows("INSERT INTO t VALUES (1)")
        idle.rows("BEGIN")
        idle.rows("SELECT * FROM t")
        query = "SELECT SLEEP(600) FROM t"
        thread = threading.Thread(target=ended, args=(busy, query))
        thread.start()
        with Place(account) as place:
            wait_until(lambda: query in [other.query for other in connections(place, name)])
            since = time.monotonic()
            leaks = drop(place, name, run)
        assert LOCK_WAITS[0] <= time.monotonic() - since < WITHIN
        thread.join()
    assert name not in databases(account)
    assert run.leaks == leaks
    assert [len(leak.splitlines()) for leak in leaks] == [1, 1]
    (of_idle,) = [leak for leak in leaks if f"connection {idle.id} " in leak]
    (of_busy,) = [leak for leak in leaks if f"connection {busy.id} " in leak]
    assert of_busy.startswith(f"{name}: connection {busy.id} of {account.user}@")
    assert of_busy.endswith(f" s with '{query}'")
    # Only a performance_schema remembers the query of one that does nothing.
    guesses = " s with an open transaction", " s perhaps with locks"
    assert of_idle.endswith((*guesses, " s with 'SELECT * FROM t'"))


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_a_drop_may_take_longer_than_other_statements(
    account: Login, hasty: Login, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "LOCK_WAITS", (7, 2, 5))
    with closing(Run.begin(prefix)) as run, throwaway_database(account, "", run) as coordinates:
        name = coordinates["DATABASE_NAME"]
        with Place(account) as busy, Place(hasty) as place:
            busy.connection.select_db(name)
            busy.rows("CREATE TABLE t (n INT)")
            busy.rows("BEGIN")
            busy.rows("SELECT * FROM t")
            [leak] = drop(place, name, run)
    assert f"connection {busy.id} of" in leak
    assert name not in databases(account)


def ended(place: Place, query: str) -> None:
    """Execute a query that the server ends, be it with an error or early."""
    with suppress(pymysql.MySQLError):
        place.rows(query)


def test_a_run_says_whom_it_had_to_end(
    account: Login, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        closing(Run.begin(prefix)) as run,
        Place(account) as forgotten,
        throwaway_database(account, "", run) as coordinates,
    ):
        forgotten.connection.select_db(coordinates["DATABASE_NAME"])
        forgotten.rows("CREATE TABLE t (n INT)")
        forgotten.rows("BEGIN")
        forgotten.rows("SELECT * FROM t")
    assert caplog.messages == run.leaks
    assert f"connection {forgotten.id} of" in run.leaks[0]


def test_a_transaction_that_the_account_cannot_see_is_one_clear_error(
    mysql_root: Login, account: Login, prefix: str
) -> None:
    if account.user == mysql_root.user:
        pytest.skip("root sees all connections")
    with closing(Run.begin(prefix)) as run, throwaway_database(account, "", run) as coordinates:
        name = coordinates["DATABASE_NAME"]
        with Place(mysql_root) as hidden, Place(account) as place:
            hidden.rows(f"CREATE TABLE {name}.t (n INT)")
            hidden.rows("BEGIN")
            hidden.rows(f"SELECT * FROM {name}.t")
            with pytest.raises(ServerError, match="cannot see or end has locks in it: end it"):
                drop(place, name, run)
            hidden.rows("COMMIT")
    assert name not in databases(mysql_root)


def test_on_a_server_that_records_it_the_last_query_is_named(mysql_program: str) -> None:
    flags = [
        "--performance-schema=1",
        "--performance-schema-consumer-events-statements-current=1",
        "--performance-schema-instrument=%=ON",
    ]
    with (
        closing(RunServer(mysql_program, flags=flags)) as server,
        closing(Run.begin("thing_test_")) as run,
        throwaway_database(server.root, "", run) as coordinates,
        Place(server.root) as forgotten,
    ):
        name = coordinates["DATABASE_NAME"]
        forgotten.rows(f"CREATE TABLE {name}.t (n INT)")
        forgotten.rows("BEGIN")
        forgotten.rows(f"SELECT n FROM {name}.t")  # it has another default database, or none
        with Place(server.root) as place:
            (leak,) = drop(place, name, run)
    assert f"connection {forgotten.id} of root@" in leak
    assert leak.endswith(f"with 'SELECT n FROM {name}.t'")


def test_it_goes_with_idle_connections_to_it(account: Login, prefix: str) -> None:
    with (
        closing(Run.begin(prefix)) as run,
        Place(account) as idle,
        throwaway_database(account, "", run) as coordinates,
    ):
        idle.connection.select_db(coordinates["DATABASE_NAME"])
    assert coordinates["DATABASE_NAME"] not in databases(account)
    assert run.leaks == []


def test_an_account_without_the_right_is_one_clear_error(mysql_root: Login) -> None:
    user, password = f"nobody{secrets.token_hex(4)}", "hid" + "den"  # which no line shows
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {user} IDENTIFIED BY '{password}'")
        try:
            with (
                pytest.raises(
                    ServerError, match=r"thing_test_\w+ was not made at .*denied"
                ) as error,
                throwaway_database(replace(mysql_root, user=user, password=password), "thing"),
            ):
                pass
        finally:
            cursor.execute(f"DROP USER {user}")
    assert len(str(error.value).splitlines()) == 1
    assert password not in str(error.getrepr(style="native"))


def test_many_at_once(mysql_root: Login, prefix: str) -> None:
    barrier = threading.Barrier(8)

    def one() -> None:
        with throwaway_database(mysql_root, prefix.removesuffix("_test_")):
            barrier.wait(WITHIN)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [name for name in databases(mysql_root) if name.startswith(prefix)]


def test_a_report_shows_no_secret() -> None:
    shown = repr(Coordinates(DB_PASSWORD="hidden", DB_URI="x:hidden@y", DB_HOST="there"))  # noqa: S106
    assert "hidden" not in shown
    assert "there" in shown


def test_merged_settings_lead_to_the_database_and_show_no_secret() -> None:
    settings = Coordinates(
        DB_HOST="there",
        DB_PORT=3306,
        DB_USERNAME="root",
        DB_PASSWORD="hidden",  # noqa: S106
        DATABASE_NAME="thing",
    )
    for merged in (settings | {"X": 1}, {"X": 1} | settings, settings.copy()):
        assert isinstance(merged, Coordinates)
        assert "hidden@there" in merged.url()
        assert merged.url("pymysql") == merged.url("mysql+pymysql")
        assert "hidden" not in repr([merged, {**merged}, [*merged.values()], merged.url()])
    assert ({"DB_HOST": "other"} | settings)["DB_HOST"] == "there"
    assert (settings | {"DB_HOST": "other"})["DB_HOST"] == "other"

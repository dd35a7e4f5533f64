"""Throwaway databases: unique, dropped whatever happens, and nothing else is."""

import threading

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.database import Coordinates, throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.looking import databases


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


def test_names_differ_and_fit_however_long_the_project_is_called(mysql_root: Login) -> None:
    long = "x" * 64
    with (
        throwaway_database(mysql_root, long) as one,
        throwaway_database(mysql_root, long) as other,
    ):
        assert one["DATABASE_NAME"] != other["DATABASE_NAME"]
        assert {one["DATABASE_NAME"], other["DATABASE_NAME"]} <= databases(mysql_root)


def test_databases_with_like_names_stay(mysql_root: Login) -> None:
    with throwaway_database(mysql_root, "thing") as mine:
        with throwaway_database(mysql_root, "thing"):
            before = databases(mysql_root)
        assert mine["DATABASE_NAME"] in databases(mysql_root)
        assert len(before - databases(mysql_root)) == 1


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


def test_many_at_once(mysql_root: Login) -> None:
    before = databases(mysql_root)
    barrier = threading.Barrier(8)

    def one() -> None:
        with throwaway_database(mysql_root, "thing"):
            barrier.wait()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name for name in databases(mysql_root) - before if name.startswith("thing")} == set()


def test_a_report_shows_no_secret() -> None:
    shown = repr(Coordinates(DB_PASSWORD="hidden", DB_URI="x:hidden@y", DB_HOST="there"))  # noqa: S106
    assert "hidden" not in shown
    assert "there" in shown

"""A transaction that a test left open: ended, and reported with the test; real runs of pytest."""

import re
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pymysql
import pytest

from throwaway_mysql.databases.database import drop, throwaway_database
from throwaway_mysql.databases.holders import SECONDS_BEGUN, SECONDS_IDLE
from throwaway_mysql.databases.journal import Journal, Ran
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases

RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]

PLAIN = ("-p", "no:randomly")  # in order
ONE = "test_it.py::test_leaves"
# MySQL tells whole seconds only.
SEVERAL = rf"({ONE}|one of \d tests from \S+_(before|leaves) to \S+_(leaves|after))"
LEAKS = """
import pymysql

forgotten = []
WAIT = "DO SLEEP(0.3)"

def execute(create_db, statement):
    connection = pymysql.connect(
        host=create_db["DB_HOST"], port=create_db["DB_PORT"], user=create_db["DB_USERNAME"],
        password=create_db["DB_PASSWORD"].encode(), database=create_db["DATABASE_NAME"])
    connection.cursor().execute(statement)
    return connection

def test_before(create_db):
    execute(create_db, "CREATE TABLE t (n INT)").close()

def test_leaves(create_db):
    execute(create_db, WAIT).close()
    forgotten.append(execute(create_db, "SELECT * FROM t"))
    execute(create_db, WAIT).close()

def test_after(create_db):
    execute(create_db, "SELECT * FROM t").close()
"""


@pytest.mark.parametrize("options", ["-q", "-n 1"])
def test_a_transaction_is_reported_with_the_test_that_left_it(
    run_pytest: RunPytest, account: Login, prefix: str, options: str
) -> None:
    done = run_pytest(*PLAIN, *options.split(), it=LEAKS)
    assert "3 passed" in done.stdout, done.stdout
    assert not [name for name in databases(account) if name.startswith(prefix)]
    [leak] = re.findall(r"^a leak: (.*)", done.stdout, re.M)
    assert re.match(rf"{prefix}\w+ \(of test_it.py\): connection \d+ of {account.user}@", leak)
    assert re.search(f", left in {named(account)}$", leak), leak


def test_a_test_of_several_seconds_is_known_on_every_server(
    run_pytest: RunPytest, account: Login
) -> None:
    if account.user == "root":
        slow = LEAKS.replace("SLEEP(0.3)", "SLEEP(2)")
        assert ", left in test_it.py::test_leaves\n" in run_pytest(*PLAIN, it=slow).stdout


def test_connections_that_hold_nothing_are_no_leak_where_that_can_be_seen(
    mysql_root: Login, prefix: str
) -> None:
    with (
        closing(Run.begin(prefix)) as run,
        throwaway_database(mysql_root, "", run) as coordinates,
        Place(mysql_root) as pooled,
        Place(mysql_root) as forgotten,
        Place(mysql_root) as place,
    ):
        name = coordinates["DATABASE_NAME"]
        for other in (pooled, forgotten):
            other.connection.select_db(name)
        forgotten.rows("CREATE TABLE t (n INT)")
        forgotten.rows("BEGIN")
        forgotten.rows("SELECT * FROM t")
        [leak] = drop(place, name, run)
        assert f"connection {forgotten.id} of" in leak
        assert pooled.rows("SELECT 1") == [(1,)]
        with pytest.raises(pymysql.OperationalError):
            forgotten.rows("SELECT 1")


class Stalled(Place):
    """A connection whose first answer to one query comes late, as on a busy machine."""

    def __init__(self, login: Login, query: str) -> None:
        super().__init__(login)
        self._late = [query]

    def rows(self, statement: str | bytes, *values: object) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows."""
        found = super().rows(statement, *values)
        if statement in self._late:
            self._late.clear()
            super().rows("DO SLEEP(3)")
        return found


@pytest.mark.parametrize(
    "query",
    [SECONDS_BEGUN, "SHOW FULL PROCESSLIST", SECONDS_IDLE],
    ids=["begun", "seen", "idle"],
)
@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_the_right_test_is_named_though_an_answer_comes_late(
    account: Login, prefix: str, query: str
) -> None:
    with (
        closing(Run.begin(prefix)) as run,
        throwaway_database(account, "", run) as coordinates,
        Place(account) as forgotten,
        Stalled(account, query) as place,
    ):
        name = coordinates["DATABASE_NAME"]
        forgotten.connection.select_db(name)
        forgotten.rows("CREATE TABLE t (n INT)")
        for test in ("test_it.py::test_before", ONE, "test_it.py::test_after"):
            run.journal.end()
            run.journal.begin(test)
            place.rows("DO SLEEP(0.5)")
            if test == ONE:
                forgotten.rows("BEGIN")
                forgotten.rows("SELECT * FROM t")
                place.rows("DO SLEEP(0.5)")
        [leak] = drop(place, name, run)
    assert re.search(f", left in {named(account)}$", leak), leak


def named(account: Login) -> str:
    """Return a pattern of what a server's times tell."""
    with account.connect() as connection:
        exact = "MariaDB" in connection.get_server_info()  # type: ignore[no-untyped-call]
    return ONE if exact else SEVERAL


def test_the_best_clue_names_the_test() -> None:
    journal = Journal([Ran("a::one", 0, 1), Ran("b::two", 1, 2), Ran("b::three", 2, 9)])
    journal.purposes["db"] = "b"
    assert journal.culprit("db", [(1.5, 2.5), (3, 4)]) == ", left in b::three"
    assert journal.culprit("db", [(0, 3)]) == ", left in one of 2 tests from b::two to b::three"
    assert journal.culprit("db", [(0, 0.5)]) == "; the last test there was b::three"
    assert Journal().culprit("db", [(0, time.monotonic())]) == ""

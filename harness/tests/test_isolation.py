"""Tests that share a database, kept apart: `mysql_isolation = delete`."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from support.projects import RUN_SQL
from support.sql import run

from throwaway_mysql.login import Login

Names = Callable[[], list[str]]

DELETE = ("-o", "mysql_isolation=delete")
SCHEMA = """
def make(login, database):
    execute(login, database, "CREATE TABLE t (n INT AUTO_INCREMENT PRIMARY KEY)",
            "CREATE TABLE seeded AS SELECT 1 AS n")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make)
"""
TESTS = """
import pytest

@pytest.fixture
def writes_last(run_sql):
    yield
    run_sql("CREATE TABLE IF NOT EXISTS late (n INT)", "INSERT INTO late VALUES (1)")

def test_one(run_sql, writes_last):
    assert run_sql("SELECT * FROM seeded") == ((1,),)
    run_sql("INSERT INTO t VALUES ()", "UPDATE seeded SET n = 2", "INSERT INTO seeded VALUES (3)")

def test_two(run_sql):
    assert run_sql("SELECT * FROM seeded") == ((1,),)
    assert run_sql("SELECT * FROM late") == ()
    run_sql("INSERT INTO t VALUES ()")
    assert run_sql("SELECT n FROM t") == ((1,),)  # AUTO_INCREMENT started again
    assert False

def test_three(run_sql):
    assert run_sql("SELECT * FROM t") == ()
"""
WITHOUT_SCHEMA = """
def test_one(run_sql):
    run_sql("CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1)")

def test_two(run_sql):
    assert run_sql("SELECT * FROM t") == ()
"""
LEAKS = """
forgotten = []

def test_it(create_db, run_sql):
    run_sql("INSERT INTO t VALUES ()")
    connection = create_db.login.connect()
    forgotten.append(connection)
    connection.select_db(create_db.name)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM t FOR UPDATE")

def test_another(run_sql):
    assert run_sql("SELECT * FROM t") == ()
    assert run_sql("SELECT * FROM seeded") == ((1,),)
"""


@pytest.mark.parametrize("scope", ["module", "session"])
def test_each_test_finds_the_first_rows_again(project: Any, scope: str) -> None:
    setting = ("-o", f"mysql_database={scope}")
    result = project.run(*DELETE, *setting, conftest=RUN_SQL + SCHEMA, it=TESTS)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*assert False"])


def test_it_does_so_without_a_schema(project: Any) -> None:
    project.run(*DELETE, conftest=RUN_SQL, it=WITHOUT_SCHEMA).assert_outcomes(passed=2)


def test_rows_stay_where_nothing_is_set(project: Any) -> None:
    project.run(conftest=RUN_SQL, it=WITHOUT_SCHEMA).assert_outcomes(passed=1, failed=1)


def test_rows_of_a_failed_test_can_be_looked_at(project: Any, there: Names, narrow: Login) -> None:
    project.run(*DELETE, "--db-keep=failed", "-x", conftest=RUN_SQL + SCHEMA, it=TESTS)
    (kept,) = there()
    assert run(narrow, kept, "SELECT n FROM t") == [(1,)]


def test_who_keeps_locks_is_a_leak_of_its_module(project: Any) -> None:
    result = project.run(*DELETE, conftest=RUN_SQL + SCHEMA, it=LEAKS)
    result.assert_outcomes(passed=2)
    leaks = re.findall(r"^a leak: .*test_it\.py.*$", result.stdout.str(), re.M)
    assert len(leaks) == 1


DROPS = """
@pytest.fixture
def broken(create_db):
    yield
    raise LookupError("of its own")

def test_it(run_sql{}):
    run_sql("DROP TABLE t")

def test_another(run_sql):
    pass
"""


@pytest.mark.parametrize("fixture", ["", ", broken"])
def test_what_cannot_be_put_back_is_one_line_beside_other_errors(
    project: Any, fixture: str
) -> None:
    tests = "import pytest\n" + DROPS.format(fixture)
    output = project.run(*DELETE, conftest=RUN_SQL + SCHEMA, it=tests).stdout.str()
    assert len(re.findall(r"^(?:E +)?.*\bt\b.* is gone", output, re.M)) == 1, output
    assert ("LookupError: of its own" in output) == bool(fixture)
    assert "restore.py" not in output

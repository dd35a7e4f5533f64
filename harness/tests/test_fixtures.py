"""The fixtures, in whole pytest runs of a small project."""

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from support.projects import RUN_SQL

TWO_TESTS = """
def test_one(create_db):
    print("named", create_db.name)

def test_two(create_db):
    print("named", create_db.name)
"""
KILLED = """
import os, signal

def test_it(create_db):
    os.kill(os.getpid(), signal.SIGKILL)
"""
SCHEMA = (
    RUN_SQL
    + """
def make(login, database):
    print("made")
    execute(login, database, "CREATE TABLE t (n INT)", "INSERT INTO t VALUES (7)")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make)
"""
)
SEVERAL = """
from conftest import execute

def test_it(database_factory, create_db, empty_database):
    all = [database_factory(), database_factory(), create_db]
    assert len({one.name for one in [*all, empty_database]}) == 4
    for one in all:
        assert execute(one.login, one.name, "SELECT n FROM t") == ((7,),)
    assert execute(empty_database.login, empty_database.name, "SHOW TABLES") == ()
    execute(all[0].login, all[0].name, "DELETE FROM t")

def test_another(database_factory):
    one = database_factory()
    assert execute(one.login, one.name, "SELECT n FROM t") == ((7,),)
"""

Names = Callable[[], list[str]]


def named(result: pytest.RunResult) -> list[str]:
    """Return the databases that tests printed, in order."""
    return re.findall(r"named (\S+)", result.stdout.str())


@pytest.mark.parametrize(("scope", "number"), [("test", 4), ("module", 2), ("session", 1)])
def test_a_database_serves_as_long_as_the_project_says(
    project: Any, there: Names, scope: str, number: int
) -> None:
    result = project.run("-o", f"mysql_database={scope}", left=TWO_TESTS, right=TWO_TESTS)
    result.assert_outcomes(passed=4)
    assert len(set(named(result))) == number
    assert there() == []


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("mysql_database=package", "mysql_database is 'package': it must be one of test, module,*"),
        ("mysql_isolation=truncate", "mysql_isolation is 'truncate': it must be one of none, *"),
    ],
)
def test_another_setting_is_one_line(project: Any, setting: str, line: str) -> None:
    result = project.run("-o", setting, it=TWO_TESTS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{line}"])


def test_the_schema_is_made_once_and_copied(project: Any, there: Names) -> None:
    result = project.run(conftest=SCHEMA, several=SEVERAL, more=SEVERAL)
    result.assert_outcomes(passed=4)
    assert result.stdout.str().count("made\n") == 1
    assert there() == []


OWN_SCHEMA = """
import pytest
from throwaway_mysql import CallableSchema

def make(login, database):
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {{database}}.{0} (n INT)")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make)
"""
OWN_TEST = """
def test_{0}(create_db):
    with create_db.login.connect() as connection, connection.cursor() as cursor:
        connection.select_db(create_db.name)
        cursor.execute("SHOW TABLES")
        assert cursor.fetchall() == (("{0}",),)
"""


def test_folders_of_tests_may_have_schemas_of_their_own(project: Any) -> None:
    for name in ("left", "right"):
        folder = project.pytester.mkdir(name)
        (folder / "conftest.py").write_text(OWN_SCHEMA.format(name))
        (folder / f"test_{name}.py").write_text(OWN_TEST.format(name))
    project.run("--import-mode=importlib").assert_outcomes(passed=2)


def test_what_a_killed_run_left_is_dropped_by_the_next(project: Any, there: Names) -> None:
    assert project.spawn(conftest=SCHEMA, it=KILLED).ret == -signal.SIGKILL
    left = there()
    assert len(left) == 2  # it and its template
    result = project.run(conftest=SCHEMA, it=TWO_TESTS)
    for name in left:
        result.stdout.fnmatch_lines([f"dropped what a killed run left: {name}"])
    assert there() == []


def test_a_report_of_a_fixture_that_fails_shows_nothing_of_the_plugin(project: Any) -> None:
    module = """
import pytest

@pytest.fixture
def broken(create_db):
    yield
    raise LookupError("of its own")

def test_it(broken):
    pass

@pytest.fixture
def worse():
    raise LookupError("of its own")

def test_another(worse):
    pass
"""
    output = project.run("-o", "mysql_isolation=delete", it=module).stdout.str()
    assert output.count("raise LookupError") == 2
    assert "throwaway_mysql/" not in output


FIXTURE = """
import pytest
from pathlib import Path
from throwaway_mysql import AlembicSchema

@pytest.fixture(scope="session")
def {fixture}():
    return {value}
"""


@pytest.mark.parametrize(
    ("fixture", "value", "line"),
    [
        ("mysql_schema", "Path('.')", "must give an AlembicSchema, * not PosixPath"),
        (
            "mysql_schema",
            "AlembicSchema",
            "must give an AlembicSchema, * not the class*",
        ),
        ("mysql_configured", "None", "must give Logins, not NoneType"),
        ("mysql_configured", "['mysql://root@localhost']", "must give Logins, not str"),
        ("mysql_server", "'my own'", "must give a Login (or rename your fixture), not str"),
        ("mysql_prefix", "'shop'", "'shop' cannot begin the names of throwaway databases: choose*"),
    ],
)
def test_a_wrong_thing_from_a_fixture_is_one_line(
    project: Any, fixture: str, value: str, line: str
) -> None:
    conftest = FIXTURE.format(fixture=fixture, value=value)
    result = project.run(conftest=conftest, it=TWO_TESTS)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines([f"*{line}"])
    assert "throwaway_mysql/" not in result.stdout.str()

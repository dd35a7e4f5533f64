"""The ini option `mysql_env` sets variables before any of the project's code is imported."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from support.sql import run

from throwaway_mysql import free_port
from throwaway_mysql.login import Login

Names = Callable[[], list[str]]

# As in many projects, importing the app from conftest.py makes the engine.
APP = """
import os
import pymysql
from sqlalchemy import NullPool, create_engine, text
from throwaway_mysql import CallableSchema

engine = create_engine(os.environ["SHOP_URL"], poolclass=NullPool)

def run_sql(statement):
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return result.all() if result.returns_rows else []
"""
CONFTEST = """
import app
import pytest
from throwaway_mysql import CallableSchema

def make(login, database):
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {database}.t (n INT)")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make)
"""
TESTS = """
from app import engine, run_sql

def test_one(create_db):
    assert engine.url.database == create_db.name
    print("named", create_db.name)
    run_sql("INSERT INTO t VALUES (1)")

def test_two(create_db):
    assert run_sql("SELECT n FROM t") == [(1,)]
"""
INI = "mysql_env = SHOP_URL=mysql+pymysql\n"
READS = """
import os

def test_it(create_db):
    assert os.environ["SHOP_URL"] == create_db.url()
    assert os.environ["SHOP_SOCKET"] == create_db["DB_SOCKET"]
    assert os.environ["SHOP_PORT"] == str(create_db["DB_PORT"])
    assert os.environ["SHOP_NAME"] == create_db.name
"""
SETTINGS = "mysql_env = SHOP_URL SHOP_SOCKET=DB_SOCKET SHOP_PORT=DB_PORT SHOP_NAME=DATABASE_NAME\n"


@pytest.mark.parametrize(
    ("scope", "options", "failed"), [("test", (), 2), ("module", ("-n2",), 0)], ids=["", "xdist"]
)
def test_the_app_has_the_database_of_each_test(
    either: Any, scope: str, options: tuple[str, ...], failed: int
) -> None:
    either.pytester.makepyfile(app=APP)
    ini = f"{INI}mysql_database = {scope}\n"
    result = either.run(*options, ini=ini, conftest=CONFTEST, left=TESTS, right=TESTS)
    result.assert_outcomes(passed=4 - failed, failed=failed)  # the second finds no rows
    assert "SHOP_URL" not in os.environ


@pytest.mark.parametrize("tcp", [False, True])
def test_a_variable_may_be_one_setting(private_project: Any, *, tcp: bool) -> None:
    ini = f"{SETTINGS}mysql_tcp = {tcp}\n"
    private_project.run(ini=ini, it=READS).assert_outcomes(passed=1)


def test_usefixtures_makes_it_for_tests_that_know_nothing_of_it(project: Any) -> None:
    tests = TESTS.replace("(create_db)", "()").replace("create_db.name", "engine.url.database")
    project.pytester.makepyfile(app=APP)
    ini = f"{INI}usefixtures = create_db\n"
    project.run(ini=ini, conftest=CONFTEST, it=tests).assert_outcomes(passed=2)


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["", "xdist"])
def test_a_run_stops_at_the_database_that_it_keeps(
    project: Any, there: Names, narrow: Login, options: tuple[str, ...]
) -> None:
    project.pytester.makepyfile(app=APP)
    fails = TESTS + "    assert False\n"
    options = ("--db-keep=failed", *options)
    result = project.run(*options, ini=INI, conftest=CONFTEST, left=fails, right=TESTS)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*a database is kept, and with mysql_env the next has its name*"])
    (name,) = there()
    assert run(narrow, name, "SELECT n FROM t") == [(1,)]


def test_a_private_server_instead_of_ones_own_is_told_at_the_end(
    private_project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    private_project.pytester.makepyfile(app=APP)
    port = free_port()
    monkeypatch.setenv("THROWAWAY_MYSQL_URL", f"mysql://root@127.0.0.1:{port}")
    result = private_project.run(ini=INI, conftest=CONFTEST, it=TESTS)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [f"nothing answers at 127.0.0.1:{port}: the tests used a private *"]
    )


@pytest.mark.parametrize(
    ("fixture", "value"),
    [("mysql_prefix", "'other_test_'"), ("mysql_server", "Login('127.0.0.1', 1, 'root', '')")],
)
def test_a_fixture_that_says_otherwise_is_one_line(project: Any, fixture: str, value: str) -> None:
    project.pytester.makepyfile(app=APP)
    conftest = f"""{CONFTEST}
from throwaway_mysql import Login

@pytest.fixture(scope="session")
def {fixture}():
    return {value}
"""
    result = project.run(ini=INI, conftest=conftest, it=TESTS)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*set THROWAWAY_MYSQL_URL, and mysql_prefix in the ini file, *"])


@pytest.mark.parametrize(
    ("url", "driver", "line"),
    [
        ("mysql://root:hidden@db.example:3306", "", "*THROWAWAY_MYSQL_REMOTE=db.example*"),
        ("mysql://root:hidden@", "", "*THROWAWAY_MYSQL_URL: * no HOST"),
        ("postgres://root:hidden@127.0.0.1", "", "*THROWAWAY_MYSQL_URL: * no mysql://"),
        ("", "=DATABASE_NAMES", "*DATABASE_NAMES*is no driver*"),
    ],
)
def test_what_cannot_be_used_is_one_line_at_the_start(
    project: Any, monkeypatch: pytest.MonkeyPatch, url: str, driver: str, line: str
) -> None:
    if url:
        monkeypatch.setenv("THROWAWAY_MYSQL_URL", url)
    result = project.run(ini=f"mysql_env = SHOP_URL{driver}", it=READS)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([line])
    assert "hidden" not in result.stderr.str() + result.stdout.str()

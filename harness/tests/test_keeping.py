"""`--db-keep` keeps the databases of failed tests, also if the teardown fails."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from throwaway_mysql.databases import Databases
from throwaway_mysql.login import Login

Names = Callable[[], list[str]]

WELL = """
def test_it(create_db):
    pass
"""
FAILS = """
def test_it(create_db):
    assert create_db.name == "another"
"""
FAILS_IN_SCHEMA = """
import pytest
from throwaway_mysql import CallableSchema

def fail(login, database):
    raise LookupError("half-way")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(fail)

def test_it(create_db):
    pass
"""
# Its last test, which names its database, fails in tear-down.
BREAKS = """
import pytest

@pytest.fixture
def named(create_db):
    print("named", create_db.name, flush=True)

def test_it(create_db):
    pass

@pytest.fixture
def broken(create_db):
    yield
    raise LookupError("of its own")

def test_another(named, broken):
    pass
"""


@pytest.mark.parametrize("bad", [FAILS, FAILS_IN_SCHEMA], ids=["test", "schema"])
def test_databases_of_failed_tests_are_kept_until_told_otherwise(
    project: Any, narrow: Login, there: Names, bad: str
) -> None:
    result = project.spawn("--db-keep=failed", well=WELL, bad=bad, xagain=WELL)
    (kept,) = there()
    where = f"-h {narrow.host} -P {narrow.port} -u {narrow.user} -p {kept}"
    result.stdout.fnmatch_lines(
        [f"kept of *: mysql://{narrow.user}@*/{kept}*", f"      mysql {where}"]
    )
    result.stdout.no_fnmatch_line(f"*{narrow.password}*")
    project.run(well=WELL)
    assert there() == [kept]
    assert Databases(narrow, project.prefix).sweep(kept=True) == [kept]


def test_all_are_kept_where_that_is_asked_for(project: Any, there: Names) -> None:
    project.run("--db-keep", one=WELL, two=WELL)
    assert len(there()) == 2


@pytest.mark.parametrize("scope", ["test", "module", "session"])
def test_it_is_kept_if_tear_down_fails(project: Any, there: Names, scope: str) -> None:
    setting = f"mysql_database={scope}"
    result = project.run("--db-keep=failed", "-o", setting, a=WELL, b=BREAKS)
    result.assert_outcomes(passed=3, errors=1)
    assert re.findall(r"named (\S+)", result.stdout.str()) == there()


def test_it_is_dropped_after_ctrl_c(project: Any, there: Names) -> None:
    interrupted = BREAKS.replace('LookupError("of its own")', "KeyboardInterrupt")
    result = project.spawn("--db-keep=failed", it=interrupted)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert there() == []

"""The databases of a project's tests: real runs of pytest on a small project."""

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.sweep import sweep
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases, unused, wait_until

TWO_TESTS = """
def test_one(create_db):
    print("named", create_db["DATABASE_NAME"])

def test_two(create_db):
    print("named", create_db["DATABASE_NAME"])
"""
FAILS = """
def test_it(create_db):
    assert create_db["DATABASE_NAME"] == "another"
"""
SCHEMA_FAILS = """
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
KILLED = """
import os, signal

def test_it(create_db):
    os.kill(os.getpid(), signal.SIGKILL)
"""

RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]


def names(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """Return the databases that tests have named, in order."""
    return re.findall(r"named (\S+)", done.stdout)


def ours(login: Login, prefix: str) -> set[str]:
    """Return the databases with the prefix."""
    return {name for name in databases(login) if name.startswith(prefix)}


@pytest.mark.parametrize(("scope", "number"), [("test", 4), ("module", 2), ("session", 1)])
def test_a_database_serves_as_long_as_the_project_says(
    run_pytest: RunPytest, account: Login, prefix: str, scope: str, number: int
) -> None:
    done = run_pytest("-o", f"mysql_database={scope}", left=TWO_TESTS, right=TWO_TESTS)
    assert done.returncode == 0, done.stdout
    assert len(names(done)) == 4
    assert len(set(names(done))) == number
    assert ours(account, prefix) == set()


def test_another_scope_is_one_line(run_pytest: RunPytest) -> None:
    done = run_pytest("-o", "mysql_database=package", it=TWO_TESTS)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    line = "mysql_database is 'package': it must be one of test, module, session"
    assert line in done.stdout + done.stderr


def test_databases_of_failed_tests_are_kept_until_told_otherwise(
    run_pytest: RunPytest, account: Login, prefix: str
) -> None:
    done = run_pytest("--db-keep=failed", well=TWO_TESTS, bad=FAILS, again=TWO_TESTS)
    (kept,) = ours(account, prefix)
    assert kept not in names(done)
    assert f"kept: mysql://{account.user}@{account.address}/{kept}" in done.stdout
    assert f"mysql -h {account.host} -P {account.port} -u {account.user} -p {kept}" in done.stdout
    assert account.password not in done.stdout
    run_pytest(it=TWO_TESTS)
    assert ours(account, prefix) == {kept}
    wait_until(lambda: unused(account, kept, prefix))
    run = Run.begin(prefix)
    assert sweep(account, run, kept=True).dropped == [kept]
    run.close()


def test_a_database_whose_schema_failed_is_kept_where_that_is_asked_for(
    run_pytest: RunPytest, account: Login, prefix: str
) -> None:
    done = run_pytest("--db-keep=failed", it=SCHEMA_FAILS)
    assert "half-way" in done.stdout
    (kept,) = ours(account, prefix)
    assert f"/{kept}" in done.stdout
    wait_until(lambda: unused(account, kept, prefix))
    run = Run.begin(prefix)
    assert sweep(account, run, kept=True).dropped == [kept]
    run.close()


def test_all_databases_are_kept_where_that_is_asked_for(
    run_pytest: RunPytest, account: Login, prefix: str
) -> None:
    done = run_pytest("--db-keep", "-o", "mysql_database=test", it=TWO_TESTS)
    assert ours(account, prefix) == set(names(done))


def test_a_path_after_the_bare_option_is_told_from_a_value(run_pytest: RunPytest) -> None:
    done = run_pytest("--db-keep", "test_it.py", it=TWO_TESTS)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    line = "--db-keep: it takes all or failed, not 'test_it.py': before a path write --db-keep=all"
    assert f"{line}\n" in done.stdout + done.stderr


def test_what_a_killed_run_left_is_dropped_by_the_next(
    run_pytest: RunPytest, account: Login, prefix: str
) -> None:
    assert run_pytest(it=KILLED).returncode == -signal.SIGKILL
    (left,) = ours(account, prefix)
    wait_until(lambda: unused(account, left, prefix))
    done = run_pytest(it=TWO_TESTS)
    assert f"dropped what a killed run left: {left}" in done.stdout
    assert ours(account, prefix) == set()


def test_the_workers_of_xdist_are_one_run(
    run_pytest: RunPytest, account: Login, prefix: str, tmp_path: Path
) -> None:
    noting = TWO_TESTS.replace("print(", f"print(file=open({str(tmp_path / 'names')!r}, 'a'), *(")
    noting = noting.replace('"])', '"]))')
    done = run_pytest("-n", "2", left=noting, right=noting)
    assert done.returncode == 0, done.stdout
    told = {line.split()[1] for line in (tmp_path / "names").read_text().splitlines()}
    assert {name.removeprefix(prefix)[:19] for name in told} == {
        min(told).removeprefix(prefix)[:19]
    }
    assert {name.rsplit("_", 2)[1] for name in told} == {"gw0", "gw1"}
    assert ours(account, prefix) == set()


def test_a_report_of_a_fixture_that_fails_shows_nothing_of_the_plugin(
    run_pytest: RunPytest,
) -> None:
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
    said = run_pytest("-o", "mysql_isolation=delete", it=module).stdout
    assert said.count("raise LookupError") == 2
    assert "throwaway_mysql/" not in said


def test_of_two_databases_that_cannot_be_dropped_each_is_one_line(run_pytest: RunPytest) -> None:
    module = """
from throwaway_mysql.databases.marker import Marker, write
from throwaway_mysql.databases.place import Place
from throwaway_mysql.testing.scene import ELSEWHERE

def test_it(create_db, empty_database, mysql_server):
    with Place(mysql_server) as place:
        for name in (create_db["DATABASE_NAME"], empty_database["DATABASE_NAME"]):
            write(place, name, Marker(name, ELSEWHERE))
"""
    said = run_pytest(it=module).stdout
    assert "1 passed, 1 error" in said
    assert len(re.findall(r"^\w+ is not dropped: ", said, re.M)) == 2
    assert "throwaway_mysql/" not in said

"""Tests that share a database, kept apart: real runs of pytest."""

import re
import subprocess
from collections.abc import Callable

import pytest

from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.sweep import sweep
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases, rows, unused, wait_until

RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]

DELETE = ("-p", "no:randomly", "-o", "mysql_isolation=delete")
HEAD = """
import pytest
from throwaway_mysql.testing.looking import rows, run

def tables(login, database):
    return {name: [list(row.values()) for row in found]
            for name, found in rows(login, database).items()}
"""
SCHEMA = """
from throwaway_mysql import CallableSchema

def make(login, database):
    run(login, database, "CREATE TABLE t (n INT)", "CREATE TABLE seeded AS SELECT 1 AS n")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make, also=())

ORIGINAL = {"t": [], "seeded": [[b"1"]]}
"""
NO_SCHEMA = """
@pytest.fixture(scope="session", autouse=True)
def tables_of_its_own(request):
    pass

ORIGINAL = {}
"""
TESTS = """
@pytest.fixture
def writes_last(create_db, mysql_server):
    yield
    run(mysql_server, create_db["DATABASE_NAME"], "CREATE TABLE IF NOT EXISTS late (n INT)",
        "INSERT INTO late VALUES (1)")

def original(login, create_db, more):
    assert tables(login, create_db["DATABASE_NAME"]) == ORIGINAL | more

def test_one(create_db, mysql_server, writes_last):
    original(mysql_server, create_db, {})
    if ORIGINAL:
        run(mysql_server, create_db["DATABASE_NAME"], "INSERT INTO t VALUES (1)",
            "UPDATE seeded SET n = 2", "INSERT INTO seeded VALUES (3)")

def test_two(create_db, mysql_server):
    original(mysql_server, create_db, {"late": []})
    run(mysql_server, create_db["DATABASE_NAME"], "INSERT INTO late VALUES (1)")
    assert False

def test_three(create_db, mysql_server):
    original(mysql_server, create_db, {"late": []})
"""


@pytest.mark.parametrize("schema", [SCHEMA, NO_SCHEMA], ids=["schema", "no schema"])
@pytest.mark.parametrize("scope", ["module", "session"])
def test_each_test_finds_the_first_rows_again(
    run_pytest: RunPytest, schema: str, scope: str
) -> None:
    done = run_pytest(*DELETE, "-o", f"mysql_database={scope}", it=HEAD + schema + TESTS)
    assert "1 failed, 2 passed" in done.stdout, done.stdout
    assert "assert False" in done.stdout


def test_without_it_rows_stay(run_pytest: RunPytest) -> None:
    done = run_pytest("-p", "no:randomly", it=HEAD + SCHEMA + TESTS)
    assert "2 failed, 1 passed" in done.stdout, done.stdout


def test_rows_of_a_failed_test_can_be_looked_at(
    run_pytest: RunPytest, account: Login, prefix: str
) -> None:
    run_pytest(*DELETE, "--db-keep=failed", "-x", it=HEAD + NO_SCHEMA + TESTS)
    [kept] = [name for name in databases(account) if name.startswith(prefix)]
    assert len(rows(account, kept)["late"]) == 1
    wait_until(lambda: unused(account, kept, prefix))
    run = Run.begin(prefix)
    assert sweep(account, run, kept=True).dropped == [kept]
    run.close()


def test_what_cannot_be_put_back_is_one_line(run_pytest: RunPytest) -> None:
    drops = """
def test_it(create_db, mysql_server):
    run(mysql_server, create_db["DATABASE_NAME"], "DROP TABLE t")

def test_another(create_db):
    pass
"""
    done = run_pytest(*DELETE, it=HEAD + SCHEMA + drops)
    lines = re.findall(
        r"^the table t of \w+ is gone, and only rows are put back.*", done.stdout, re.M
    )
    assert len(lines) == 1, done.stdout
    assert "original.py" not in done.stdout


def test_what_cannot_be_put_back_hides_no_other_error(run_pytest: RunPytest) -> None:
    drops = """
@pytest.fixture
def broken(create_db):
    yield
    raise LookupError("of its own")

def test_it(create_db, mysql_server, broken):
    run(mysql_server, create_db["DATABASE_NAME"], "DROP TABLE t")

def test_another(create_db):
    pass
"""
    said = run_pytest(*DELETE, it=HEAD + SCHEMA + drops).stdout
    assert 'raise LookupError("of its own")' in said, said
    assert len(re.findall(r"^the table t of \w+ is gone", said, re.M)) == 1, said


@pytest.mark.parametrize(
    "statements",
    [
        ["BEGIN", "SELECT * FROM t FOR UPDATE"],
        ["LOCK TABLES seeded WRITE, t WRITE", "DELETE FROM seeded"],
    ],
    ids=["rows", "tables"],
)
def test_who_keeps_locks_is_a_leak_of_its_test(
    run_pytest: RunPytest, statements: list[str]
) -> None:
    leaks = f"""
forgotten = []

def test_it(create_db, mysql_server):
    from dataclasses import replace
    run(mysql_server, create_db["DATABASE_NAME"], "INSERT INTO t VALUES (1)")
    connection = replace(mysql_server, database=create_db["DATABASE_NAME"]).connect()
    forgotten.append(connection)
    with connection.cursor() as cursor:
        for statement in {statements}:
            cursor.execute(statement)

def test_another(create_db, mysql_server):
    assert tables(mysql_server, create_db["DATABASE_NAME"]) == ORIGINAL
"""
    done = run_pytest(*DELETE, it=HEAD + SCHEMA + leaks)
    assert "2 passed" in done.stdout, done.stdout
    assert len(re.findall(r"^a leak: .*, left in test_it.py::test_it$", done.stdout, re.M)) == 1


def test_another_way_is_one_line(run_pytest: RunPytest) -> None:
    done = run_pytest("-o", "mysql_isolation=truncate", it=HEAD + SCHEMA + TESTS)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    line = "mysql_isolation is 'truncate': it must be one of none, delete"
    assert line in done.stdout + done.stderr


def test_a_report_tells_of_each_step_and_of_the_slowest_databases(run_pytest: RunPytest) -> None:
    module = HEAD + SCHEMA + TESTS
    done = run_pytest(*DELETE, "-n", "2", "--db-report", "-q", left=module, right=module)
    _, _, table = done.stdout.partition("milliseconds")
    found = dict(re.findall(r"^((?:\w+: )?[\w.: ]*?\w) +(\d+)(?: +\d+\.\d){3}$", table, re.M))
    assert {step for step in found if not step.startswith(("server: ", "schema: "))} == {
        "database: create",
        "database: drop",
        "rows: put back",
        "sweep",
    }
    assert sum(int(found.get(f"schema: {how}", 0)) for how in ("migrated", "copied")) == 2
    assert found["database: create"] == found["database: drop"] == found["sweep"] == "2"
    assert found["rows: put back"] == "4"
    slowest = re.findall(r"^\d+\.\d (\w+: [\w ]+), for (test_\w+\.py)$", table, re.M)
    assert len(slowest) == 5
    assert {purpose for _, purpose in slowest} <= {"test_left.py", "test_right.py"}


def test_without_the_option_there_is_no_report(run_pytest: RunPytest) -> None:
    assert "milliseconds" not in run_pytest(it=HEAD + SCHEMA + TESTS).stdout

"""pytest-xdist: workers share one server and one schema; one that crashes leaves nothing."""

from collections.abc import Callable
from typing import Any

import pytest

Names = Callable[[], list[str]]

# Workers' output is not shown, so they write files.
CONFTEST = """
from pathlib import Path
import pytest
from throwaway_mysql import CallableSchema

HERE = Path(__file__).parent

def make(login, database):
    with (HERE / "made").open("a") as file:
        print(database, file=file)
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {database}.t (n INT)")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make)

@pytest.fixture
def note(create_db, worker_id):
    with (HERE / "used").open("a") as file:
        print(worker_id, create_db.name, create_db.login.address, file=file)
"""
# Each module waits for the other, so both workers must run one: xdist begins with the longest.
WAITS = """
import time
from pathlib import Path

def test_one(note):
    Path(__file__).with_suffix(".begun").touch()
    while len(list(Path(__file__).parent.glob("*.begun"))) < 2:
        time.sleep(0.01)

def test_two(note):
    pass

def test_three(note):
    pass
"""
SOME = """
def test_one(note):
    pass

def test_two(note):
    pass
"""
CRASHES = """
import os, signal

def test_crashes(note):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_share_the_server_and_the_schema_and_modules_stay_whole(
    either: Any,
) -> None:
    modules = {"left": WAITS, "right": WAITS, "c": SOME, "d": SOME, "e": SOME}
    either.run("-n2", conftest=CONFTEST, **modules).assert_outcomes(passed=12)
    lines = (either.pytester.path / "used").read_text().splitlines()
    workers, databases, servers = map(set, zip(*map(str.split, lines), strict=True))
    assert (len(workers), len(databases), len(servers)) == (2, len(modules), 1)
    assert len((either.pytester.path / "made").read_text().splitlines()) == 1


@pytest.mark.parametrize("options", ["--max-worker-restart=0", "-omysql_database=test"])
def test_a_worker_that_crashes_leaves_nothing(project: Any, there: Names, options: str) -> None:
    result = project.run("-n2", options, conftest=CONFTEST, a=CRASHES, b=SOME)
    result.assert_outcomes(failed=1, passed=2)
    assert result.stdout.str().count("dropped what a killed run left") == 1
    assert there() == []

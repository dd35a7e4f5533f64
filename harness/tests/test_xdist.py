"""pytest-xdist: workers share one server and one schema; one that crashes leaves nothing."""

from collections.abc import Callable
from typing import Any

import pytest

Names = Callable[[], list[str]]

# Workers' output is not shown: they write files.
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
# Each module waits for the other, so that two workers run them.
TESTS = """
import time
from pathlib import Path

def test_one(note):
    Path(__file__).with_suffix(".begun").touch()
    while len(list(Path(__file__).parent.glob("*.begun"))) < 2:
        time.sleep(0.01)

def test_two(note):
    pass
"""
PASSES = "\ndef test_passes_{}(note): pass\n"
CRASHES = """
import os, signal

def test_crashes(note):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["configured", "private"])
def either(request: pytest.FixtureRequest) -> Any:
    """Return a project on the configured server, and one on a private server."""
    name = "project" if request.param == "configured" else "private_project"
    return request.getfixturevalue(name)


def test_workers_share_the_server_and_the_schema(either: Any, run_sql: Any) -> None:
    result = either.run("-n2", conftest=CONFTEST, left=TESTS, right=TESTS)
    result.assert_outcomes(passed=4)
    lines = (either.pytester.path / "used").read_text().splitlines()
    workers, databases, servers = zip(*map(str.split, lines), strict=True)
    assert (len(set(workers)), len(set(databases)), len(set(servers))) == (2, 2, 1)
    assert len((either.pytester.path / "made").read_text().splitlines()) == 1
    left = run_sql(f"SHOW DATABASES LIKE '{either.prefix}%'")
    assert not {name for (name,) in left} & set(databases)


# Two workers crash together, so that while one new worker collects there is another.
TOGETHER = """
import os, time
from pathlib import Path

def test_crashes(note):
    Path(f"here-{os.getpid()}").touch()
    while len(list(Path().glob("here-*"))) < 2:
        time.sleep(0.001)
    os._exit(1)
"""
SOME = "".join(map(PASSES.format, range(3)))
CRASHED = {  # xdist's own `loadfile` waits for ever in each of these
    "and leaves one test": (("-n1",), [SOME, CRASHES + PASSES.format(1)], 1),
    "beside another": (("-n2", "--dist=loadfile"), [CRASHES, SOME, SOME], 1),
    "together with another": (
        ("-n2",),
        [TOGETHER + PASSES.format(1), TOGETHER, PASSES.format(2)],
        2,
    ),
}


@pytest.mark.parametrize(("options", "modules", "crashes"), CRASHED.values(), ids=CRASHED.keys())
def test_a_run_goes_on_when_a_worker_crashes_and_leaves_nothing(
    project: Any, there: Names, options: tuple[str, ...], modules: list[str], crashes: int
) -> None:
    files = {f"m{number}": text for number, text in enumerate(modules)}
    passed = sum(text.count("test_passes") for text in modules)
    result = project.run(*options, conftest=CONFTEST, **files)
    result.assert_outcomes(failed=crashes, passed=passed)
    assert result.stdout.str().count("dropped what a killed run left") == crashes
    assert there() == []


MODULES = {f"m{number}": SOME for number in range(6)}


@pytest.mark.parametrize("options", [("-n2",), ("-n2", "--dist=loadfile", "-p", "randomly")])
def test_a_modules_tests_stay_in_one_process(project: Any, options: tuple[str, ...]) -> None:
    result = project.run(*options, conftest=CONFTEST, **MODULES)
    result.assert_outcomes(passed=18)
    lines = (project.pytester.path / "used").read_text().splitlines()
    assert len({line.split()[1] for line in lines}) == len(MODULES)

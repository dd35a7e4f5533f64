"""Many runs of pytest at once on one configured server."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from throwaway_mysql.databases.identity import Maker, Name, new_token
from throwaway_mysql.databases.marker import Marker, create, write
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases, wait_until
from throwaway_mysql.testing.nested import Project

RUNS = 8
MODULE = """
import pytest
from throwaway_mysql import CallableSchema
from throwaway_mysql.testing.looking import run

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make, version="1")

def make(login, database):
    run(login, database, "CREATE TABLE t (n INT)")

def test_it_has_no_rows(run_sql):
    assert run_sql("SELECT n FROM t") == ()
    run_sql("INSERT INTO t VALUES (7)")

def test_it_has_a_row(run_sql):
    assert run_sql("SELECT n FROM t") == ((7,),)
"""


def left_by_killed_runs(account: Login, prefix: str, gone: Maker) -> list[str]:
    """Make databases as if runs had been killed, and return their names."""
    names = [str(Name(prefix, new_token(), "main", number)) for number in range(1, 11)]
    with Place(account) as place:
        for name in names:
            marker = Marker(name, gone)
            create(place, marker)
            write(place, name, marker)
    return names


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_eight_pass_and_drop_once_what_is_left(
    tmp_path: Path, account: Login, prefix: str, gone: Maker
) -> None:
    left = left_by_killed_runs(account, prefix, gone)
    project = Project(tmp_path, tmp_path, prefix)
    project.configure(account)
    project.write(a=MODULE, b=MODULE, c=MODULE)
    options = [["-n", "2"] if number % 3 == 0 else [] for number in range(RUNS)]
    with ThreadPoolExecutor(RUNS) as pool:
        ends = list(pool.map(lambda given: project.run(*given), options))
    assert [status for status, _ in ends] == [0] * RUNS, ends
    assert all("6 passed" in said for _, said in ends)
    dropped = re.findall(
        r"dropped what a killed run left: (\S+)", "".join(said for _, said in ends)
    )
    assert sorted(dropped) == sorted(left)
    assert not [name for name in databases(account) if name.startswith(prefix)]
    assert project.left() == []
    with Place(account) as place:  # without connections there are no locks
        wait_until(lambda: len(place.rows("SHOW PROCESSLIST")) == 1)

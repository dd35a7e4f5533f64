"""What a project's own fixtures may give, and what is said of a wrong thing."""

import re
import subprocess
from collections.abc import Callable

import pytest

from throwaway_mysql.databases.identity import Maker
from throwaway_mysql.databases.marker import Marker, create
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

USES = """
def test_it(create_db):
    pass
"""
GIVES = """
from pathlib import Path
from throwaway_mysql import AlembicSchema

@pytest.fixture(scope="session")
def {fixture}():
    return {value}
"""


@pytest.mark.parametrize(
    ("fixture", "value", "line"),
    [
        ("mysql_schema", "Path('alembic.ini')", "an AlembicSchema, .* or None, not PosixPath"),
        ("mysql_schema", "''", "an AlembicSchema, .* or None, not str"),
        ("mysql_schema", "AlembicSchema", "an AlembicSchema, .* not the class AlembicSchema"),
        ("mysql_configured", "None", "Logins, the best first, not NoneType"),
        ("mysql_configured", "['mysql://root@localhost']", "Logins, the best first, not str"),
    ],
)
def test_a_wrong_thing_is_one_line(
    run_project: RunProject, fixture: str, value: str, line: str
) -> None:
    conftest = GIVES.format(fixture=fixture, value=value)
    said = run_project(conftest=conftest, test_it=USES).stdout
    assert re.search(f"^(E +)?the fixture {fixture} must give {line}$", said, re.M), said
    assert "Traceback" not in said
    assert "throwaway_mysql/" not in said


@pytest.mark.parametrize("value", ["None", "b'shop_test_'", "Path('shop_test_')"])
def test_a_prefix_that_is_no_text_is_one_line(run_project: RunProject, value: str) -> None:
    conftest = GIVES.format(fixture="mysql_prefix", value=value)
    said = run_project(conftest=conftest, test_it=USES).stdout
    assert " cannot begin the names of throwaway databases: choose 2 to 33 small" in said
    assert "throwaway_mysql/" not in said


def test_a_prefix_may_stand_in_the_ini_file(run_project: RunProject, prefix: str) -> None:
    names = USES.replace("pass", "print('named', create_db['DATABASE_NAME'])")
    own = "del mysql_prefix"  # the fixture of run_project's conftest.py
    said = run_project(ini=f"mysql_prefix = {prefix}", conftest=own, test_it=names).stdout
    assert f"named {prefix}" in said
    assert "named throwaway_test_" in run_project(conftest=own, test_it=names).stdout
    said = run_project(ini="mysql_prefix = shop", conftest=own, test_it=names).stdout
    assert "'shop' cannot begin the names" in said


def test_one_login_need_not_be_in_a_list(run_project: RunProject, mysql_root: Login) -> None:
    value = 'Login(**json.loads(os.environ["TEST_LOGIN"]))'
    done = run_project(conftest=GIVES.format(fixture="mysql_configured", value=value), test_it=USES)
    assert f"Using the server at {mysql_root.address}" in done.stdout


def test_one_spared_name_need_not_be_in_a_list(
    run_project: RunProject, mysql_root: Login, prefix: str
) -> None:
    spared = Run.begin(prefix, token="200101000000_abcdef").next_name()  # noqa: S106 (no secret)
    with Place(mysql_root) as place:
        create(place, Marker(spared, Maker("elsewhere", 1, 1)))
    conftest = GIVES.format(fixture="mysql_spared", value=repr(spared))
    assert "1 passed" in run_project(conftest=conftest, test_it=USES).stdout
    assert spared in databases(mysql_root)
    run_project(test_it=USES)  # a run that does not spare it
    assert spared not in databases(mysql_root)

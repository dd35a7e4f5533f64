"""The plugin works beside other plugins, also those that restrict what tests may do."""

import sys
from collections.abc import Callable

import pytest

Names = Callable[[], list[str]]

USES = """
def test_one(create_db, database_factory):
    with create_db.login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {create_db.name}.t (n INT)")
        cursor.execute(f"SELECT * FROM {database_factory().name}.s")

def test_two(create_db):
    pass
"""
SCHEMA = """
import pytest
from throwaway_mysql import SqlSchema

@pytest.fixture(scope="session")
def mysql_schema(request):
    return SqlSchema(request.config.rootpath / "schema.sql")
"""
BLOCKED = """
import socket

import pytest
from pytest_socket import SocketBlockedError

def test_it_is_blocked(create_db):
    with pytest.raises(SocketBlockedError):
        socket.socket()
"""
FAKED = """
from pathlib import Path

def test_files_are_fake(fs, create_db, database_factory):
    Path("/only/here").mkdir(parents=True)
    assert database_factory().name != create_db.name

def test_two(fs, empty_database):
    assert not Path("/only").exists()
"""
FROZEN = """
import datetime

def test_time_stands_still(create_db):
    assert datetime.date.today().year == 2040
"""
UNITTEST = """
import unittest
import pytest

@pytest.mark.usefixtures("create_db")
class Uses(unittest.TestCase):
    def test_it(self):
        pass

class Takes(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _take(self, create_db):
        self.database = create_db

    def setUp(self):
        self.connection = self.database.login.connect()
        self.addCleanup(self.connection.close)

    def test_it(self):
        self.connection.select_db(self.database.name)
"""
FREEZES = "\nfrom freezegun import freeze_time\nfreeze_time('2040-01-01').start()\n"
PATCHES = "from gevent import monkey\nmonkey.patch_all()\n"
# By name: the package that it needs, the ini file, conftest.py before and after SCHEMA, and tests.
CASES = {
    "pytest-socket": ("pytest_socket", "addopts = --disable-socket\n", "", "", BLOCKED, 1),
    "pyfakefs": ("pyfakefs", "", "", "", FAKED, 2),
    "freezegun": ("freezegun", "", "", FREEZES, FROZEN, 1),
    "gevent": ("gevent", "", PATCHES, "", "", 0),
    "filterwarnings": ("pytest", "filterwarnings = error\n", "", "", "", 0),
    "unittest": ("unittest", "", "", "", UNITTEST, 2),
}


@pytest.mark.parametrize("server", ["project", "private_project"])
@pytest.mark.parametrize("case", CASES)
def test_databases_come_and_go_beside(
    request: pytest.FixtureRequest, server: str, case: str
) -> None:
    package, ini, first, last, tests, count = CASES[case]
    pytest.importorskip(package)
    project = request.getfixturevalue(server)
    (project.pytester.path / "schema.sql").write_text("CREATE TABLE s (n INT);")
    project.write(ini=ini, conftest=first + SCHEMA + last, uses=USES, more=tests)
    argv = ("-X", "dev", "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:randomly")
    result = project.pytester.run(sys.executable, *argv)
    result.assert_outcomes(passed=2 + count)
    for output in (result.stdout, result.stderr):
        output.no_fnmatch_line("*ResourceWarning*")
    if server == "project":
        there: Names = request.getfixturevalue("there")
        assert there() == []

"""Shared fixtures: accounts on the tests' server, projects, and the tests' own cache."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.databases import exist
from support.processes import collect_garbage, processes, wait_until

from throwaway_mysql import migrations  # noqa: F401 (SQLAlchemy cannot be imported once more)
from throwaway_mysql.databases import Databases
from throwaway_mysql.folder import TMPFS
from throwaway_mysql.grants import identifier
from throwaway_mysql.login import Login
from throwaway_mysql.owner import Owner

pytest_plugins = ["pytester"]
collect_ignore = ["examples"]  # separate projects, which test_readme runs
# Variables that change pytest's output, which tests read: with CI, it truncates no lines.
OF_OUTPUT = ("BUILD_NUMBER", "CI", "COLUMNS", "FORCE_COLOR", "PY_COLORS", "PYTEST_ADDOPTS")
LOOPS = "asyncio_default_fixture_loop_scope = function\n"  # else pytest-asyncio warns
QUIET = ("-s", "-p", "no:cacheprovider", "-p", "no:randomly")


@pytest.fixture(scope="session", autouse=True)
def _same_environment_everywhere() -> Iterator[None]:
    """Use a cache apart from the user's; its templates stay for later runs."""
    home = Path(tempfile.gettempdir(), f"throwaway-mysql-tests-{os.geteuid()}")
    home.mkdir(mode=0o700, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        for name in OF_OUTPUT:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def mysql_root(mysql_server: Login) -> Login:
    """Return root's account, which may create others; skip if the tests have another account."""
    if mysql_server.user != "root":
        pytest.skip("the tests' account is not root")
    return mysql_server


@pytest.fixture
def prefix(mysql_root: Login) -> Iterator[str]:
    """Return this test's own prefix; databases with it are dropped at the end."""
    prefix = f"p{secrets.token_hex(4)}_test_"
    yield prefix
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        for name in exist(mysql_root, prefix):
            cursor.execute(f"DROP DATABASE {identifier(name)}")


@pytest.fixture
def narrow(mysql_root: Login, prefix: str) -> Iterator[Login]:
    """Return an account with privileges only on databases with the prefix."""
    user, password = prefix.removesuffix("_test_"), secrets.token_hex(8)
    pattern = prefix.replace("_", r"\_") + "%"
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {user} IDENTIFIED BY '{password}'")
        cursor.execute(f"GRANT ALL ON `{pattern}`.* TO {user}")
        yield Login(mysql_root.host, mysql_root.port, user, password)
        cursor.execute(f"DROP USER {user}")


@pytest.fixture
def there(mysql_root: Login, prefix: str) -> Callable[[], list[str]]:
    """Return a function that lists the databases with the test's prefix."""
    return lambda: sorted(exist(mysql_root, prefix))


class Project:
    """A small project, whose runs use the tests' server with its own prefix."""

    def __init__(self, pytester: pytest.Pytester, prefix: str) -> None:
        self.pytester, self.prefix = pytester, prefix

    def write(self, *, ini: str = "", conftest: str = "", **modules: str) -> None:
        """Write the ini file, conftest.py and tests `test_<name>.py`."""
        self.pytester.makeini(f"[pytest]\nmysql_prefix = {self.prefix}\n{LOOPS}{ini}")
        self.pytester.makeconftest(conftest)
        for name, text in modules.items():
            self.pytester.makepyfile(**{f"test_{name}": text})

    def run(self, *options: str, **files: str) -> pytest.RunResult:
        """Write the project, and run pytest on it in this process."""
        self.write(**files)
        try:
            return self.pytester.runpytest_inprocess(*QUIET, *options)
        finally:
            collect_garbage()

    def spawn(self, *options: str, **files: str) -> pytest.RunResult:
        """Write the project, and run pytest in a process of its own, for runs that are killed."""
        self.write(**files)
        return self.pytester.runpytest_subprocess(*QUIET, *options)


@pytest.fixture
def project(
    pytester: pytest.Pytester, narrow: Login, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Return a project on the tests' server, which may use only databases with the prefix."""
    monkeypatch.setenv("THROWAWAY_MYSQL_URL", narrow.url())
    return Project(pytester, prefix)


@pytest.fixture
def private_project(
    pytester: pytest.Pytester, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Return a project whose runs have a private server."""
    monkeypatch.delenv("THROWAWAY_MYSQL_URL", raising=False)
    monkeypatch.setenv("THROWAWAY_MYSQLD", mysql_program)
    return Project(pytester, "throwaway_test_")


@pytest.fixture(params=["project", "private_project"])
def either(request: pytest.FixtureRequest) -> Project:
    """Return a project on the tests' server, and one on a private server."""
    project: Project = request.getfixturevalue(request.param)
    return project


@pytest.fixture(params=["root", "narrow"])
def account(request: pytest.FixtureRequest, mysql_root: Login) -> Login:
    """Return root's account, then the narrow one, for tests whose outcome depends on grants."""
    login: Login = request.getfixturevalue("narrow") if request.param == "narrow" else mysql_root
    return login


@pytest.fixture
def database(databases: Databases) -> str:
    """Return the name of an empty database."""
    return databases.create().name


@pytest.fixture
def databases(account: Login, prefix: str) -> Databases:
    """Return this process's databases with the test's own prefix."""
    return Databases(account, prefix)


@pytest.fixture
def gone() -> Owner:
    """Return a process that has ended."""
    return Owner.me()._replace(started=1)


@pytest.fixture(autouse=True)
def _connections_are_closed() -> Iterator[None]:
    """Close the connections of a test's Databases: a leaked one would fail another test."""
    made: list[Databases] = []
    begin = Databases.__init__

    def noted(self: Databases, *arguments: Any, **options: Any) -> None:
        begin(self, *arguments, **options)
        made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Databases, "__init__", noted)
        yield
    for databases in made:
        databases.close()


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Put run folders into a folder of this test, whose path is short enough for sockets."""
    parent = Path(tempfile.mkdtemp(prefix="runs-", dir=TMPFS if TMPFS.is_dir() else None))
    monkeypatch.setattr("throwaway_mysql.folder.TMPFS", parent)
    monkeypatch.setattr("throwaway_mysql.folder.ROOM", 0)
    yield parent
    wait_until(lambda: not processes(parent))
    shutil.rmtree(parent)

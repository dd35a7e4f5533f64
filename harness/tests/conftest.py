"""What several of these tests use: databases, other runs, and made-up Alembic projects."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.accounts import identifier
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.identity import Maker
from throwaway_mysql.databases.place import REMOTE
from throwaway_mysql.login import Login
from throwaway_mysql.masked import Masked
from throwaway_mysql.testing import keeping, moves
from throwaway_mysql.testing.looking import as_given, databases
from throwaway_mysql.testing.nested import CONFIGURED
from throwaway_mysql.testing.scene import Scene

# A run with one database that lives until its input ends.
HOLDER = """
import json, sys
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.databases.ownership import Run

login, prefix = json.loads(sys.stdin.readline())
with throwaway_database(Login(**login), "", Run.begin(prefix)) as coordinates:
    print(coordinates["DATABASE_NAME"], flush=True)
    sys.stdin.read()
"""

Start = Callable[..., tuple["subprocess.Popen[str]", str]]

QUIET = ("-s", "-p", "no:cacheprovider")
# What changes the output of the runs that tests read: where CI is set, pytest cuts no line short.
OF_OUTPUT = ("BUILD_NUMBER", "CI", "COLUMNS", "FORCE_COLOR", "PY_COLORS", "PYTEST_ADDOPTS")
collect_ignore = ["examples"]  # projects of their own, which test_examples runs

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]
RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]
NewDatabase = Callable[[], str]
# Is given (up, down) of each revision, one after the other, and code that adds to `metadata`.
WriteProject = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _same_output_everywhere() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in OF_OUTPUT:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def _cache_of_these_tests(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Keep what these tests leave in a cache out of the user's; templates last for further runs."""
    kept: pytest.Cache | None = getattr(pytestconfig, "cache", None)  # -p no:cacheprovider
    try:
        home = kept.mkdir(f"home-{os.geteuid()}") if kept else tmp_path_factory.mktemp("home")
    except OSError:  # the project's folder may not be written
        home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        yield


@pytest.fixture(scope="session")
def mysql_configured() -> list[Login]:
    """Return root's account where the environment has a password, as beside Docker's images."""
    password = os.environ.get("MYSQL_ROOT_PASSWORD")
    host, *_ = os.environ.get(REMOTE, "127.0.0.1").split(",")
    return [Login(host, 3306, "root", password)] if password else []


@pytest.fixture(scope="session")
def mysql_tcp() -> bool:
    """Have a private server listen on a port, for what cuts connections on the way."""
    return True


@pytest.fixture(scope="session")
def mysql_root(mysql_server: Login) -> Login:
    """Return root's account, which may create others."""
    return mysql_server


@pytest.fixture
def server_environ(mysql_server: Login, prefix: str) -> dict[str, str]:
    """Return the environment of another run, which is to use the tests' server by CONFIGURED."""
    return Masked(os.environ | environ_of(mysql_server, prefix))


@pytest.fixture
def prefix(mysql_root: Login) -> Iterator[str]:
    """Return a prefix of this test's own; all that has it is dropped at the end."""
    prefix = f"p{secrets.token_hex(4)}_test_"
    yield prefix
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        for name in databases(mysql_root):
            if name.startswith(prefix):
                cursor.execute(f"DROP DATABASE {identifier(name)}")


@pytest.fixture(params=["root", "narrow"])
def account(request: pytest.FixtureRequest, mysql_root: Login, prefix: str) -> Iterator[Login]:
    """Return root's account, and one that may do nothing but in databases with the prefix."""
    if request.param == "root":
        yield mysql_root
        return
    user, password = prefix.removesuffix("_test_"), secrets.token_hex(8)
    pattern = prefix.replace("_", r"\_") + "%"
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {user} IDENTIFIED BY '{password}'")
        cursor.execute(f"GRANT ALL ON `{pattern}`.* TO {user}")
        yield Login(mysql_root.host, mysql_root.port, user, password)
        cursor.execute(f"DROP USER {user}")


class Hasty(Login):
    """An account that gives the server five seconds for all that is not known to take long."""

    def connect(self, timeout: float = 5, client_flag: int = 0) -> "Connection[Cursor]":
        """Return a connection as Login.connect() does."""
        return super().connect(timeout, client_flag)


@pytest.fixture
def hasty(account: Login) -> Login:
    """Return the account, for tests of what takes longer."""
    return Hasty(account.host, account.port, account.user, account.password, account.unix_socket)


@pytest.fixture
def scene(account: Login, prefix: str) -> Iterator[Scene]:
    """Return a scene on the tests' server."""
    scene = Scene(account, prefix)
    yield scene
    scene.place.close()


@pytest.fixture(scope="session")
def gone() -> Maker:
    """Return a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return Maker.of(process.pid)


@pytest.fixture
def start_run() -> Iterator[Start]:
    """Return a function that starts another run; it returns the process and its database."""
    with ExitStack() as stack:

        def start(
            login: Login, prefix: str, script: str = HOLDER
        ) -> tuple["subprocess.Popen[str]", str]:
            process = subprocess.Popen(
                [sys.executable, "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.__exit__, None, None, None)
            stack.callback(process.kill)
            given = json.dumps([as_given(login), prefix])
            print(given, file=process.stdin, flush=True)
            return process, process.stdout.readline().strip()  # type: ignore[union-attr]  # a PIPE

        yield start


def environ_of(login: Login, prefix: str) -> dict[str, str]:
    """Return what CONFIGURED reads."""
    return {"TEST_LOGIN": json.dumps(as_given(login)), "TEST_PREFIX": prefix}


def run_in(
    folder: Path, login: Login, prefix: str, *argv: str
) -> "subprocess.CompletedProcess[str]":
    """Run Python in a folder, for a pytest on the account of CONFIGURED."""
    return subprocess.run(
        [sys.executable, *argv],
        cwd=folder,
        env={**os.environ, **environ_of(login, prefix)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def run_pytest(tmp_path: Path, account: Login, prefix: str) -> RunPytest:
    """Return a function that runs pytest on modules, given by name, with the account."""

    def run(*options: str, **modules: str) -> "subprocess.CompletedProcess[str]":
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(CONFIGURED)
        for name, text in modules.items():
            (folder / f"test_{name}.py").write_text(text)
        files = [f"test_{name}.py" for name in modules]
        return run_in(folder, account, prefix, "-m", "pytest", *QUIET, *options, *files)

    return run


@pytest.fixture
def new_database(mysql_server: Login) -> Iterator[NewDatabase]:
    """Return a function that makes an empty database and returns its name."""
    with ExitStack() as stack:
        yield lambda: str(
            stack.enter_context(throwaway_database(mysql_server, "zoo"))["DATABASE_NAME"]
        )


@pytest.fixture
def write_project(tmp_path: Path) -> WriteProject:
    """Return a function that writes an Alembic project and returns the path of its ini."""
    return lambda *revisions, models="": moves.write(tmp_path / "project", revisions, models)


@pytest.fixture
def fifty(write_project: WriteProject) -> Path:
    """Write a project of fifty revisions: five tables, to which columns are added."""
    return write_project(*moves.fifty())


@pytest.fixture
def run_project(tmp_path: Path, mysql_root: Login, prefix: str) -> RunProject:
    """Return a function that runs pytest on a project: its options, and its modules' texts.

    `lacking` names modules that cannot be imported.
    """
    folder = tmp_path / "a project"
    folder.mkdir()

    def run(
        *options: str, ini: str = "", lacking: tuple[str, ...] = (), **modules: str
    ) -> "subprocess.CompletedProcess[str]":
        (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")
        for name, text in {"conftest": "", **modules}.items():
            (folder / f"{name}.py").write_text(text if name != "conftest" else CONFIGURED + text)
        code = (
            f"import sys, pytest; sys.modules |= dict.fromkeys({lacking}); sys.exit(pytest.main())"
        )
        return run_in(folder, mysql_root, prefix, "-c", code, *QUIET, *options)

    return run


@pytest.fixture
def keeper(tmp_path: Path, mysql_program: str) -> Iterator[keeping.Keeper]:
    """Return a project whose runs have a private server; what they kept is ended."""
    keeper = keeping.Keeper(tmp_path, mysql_program)
    yield keeper
    for folder in keeping.folders(keeper):
        keeping.end(folder)

"""A small project whose tests are run for real, in processes of their own, by other tests."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGKILL

from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import roomy
from throwaway_mysql.testing.looking import WITHIN, as_given

# A conftest.py's lines with which a run of another project uses an account of these tests'.
CONFIGURED = """
import json, os
import pytest
from throwaway_mysql.login import Login

@pytest.fixture(scope="session")
def mysql_configured():
    return [Login(**json.loads(os.environ["TEST_LOGIN"]))]

@pytest.fixture(scope="session")
def mysql_prefix():
    return os.environ["TEST_PREFIX"]
"""
CONFTEST = """
import json, os
from pathlib import Path

import pytest
from throwaway_mysql.servers import run
from throwaway_mysql.login import Login
from throwaway_mysql import AlembicSchema

run.TMPFS = Path(os.environ["TEST_TMPFS"])  # where only these runs put folders
INI = Path(__file__).with_name("alembic.ini")

@pytest.fixture(scope="session")
def mysql_configured():
    given = json.loads(os.environ["TEST_LOGIN"])
    return [Login(**given)] if given else []

@pytest.fixture(scope="session")
def mysql_prefix():
    return os.environ["TEST_PREFIX"]

@pytest.fixture(scope="session")
def mysql_spared():
    return os.environ.get("TEST_SPARED", "").split()

@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema(INI) if INI.exists() else None

@pytest.fixture
def run_sql(create_db, mysql_server):
    from dataclasses import replace
    login = replace(mysql_server, database=create_db["DATABASE_NAME"])
    with login.connect(timeout=10) as connection, connection.cursor() as cursor:
        def run_sql(statement):
            cursor.execute(statement)
            return cursor.fetchall()
        yield run_sql
"""
# Event loops of such a project: lines of its ini file, options, a mark, and a fixture.
MODULE_LOOPS = (
    "asyncio_default_fixture_loop_scope = module\nasyncio_default_test_loop_scope = module\n"
)
AUTO = f"asyncio_mode = auto\n{MODULE_LOOPS}"
NO_ASYNCIO = ("-p", "no:asyncio")
MARKED = "import pytest\npytestmark = pytest.mark.{}\n"
ASYNCIO_ONLY = """
@pytest.fixture(scope="{}")
def anyio_backend():
    return "asyncio"
"""
# Other plugins, which would only take time, stay away.
PLAIN = ("-p", "no:cacheprovider", "-p", "throwaway_mysql.plugin", "-p", "xdist.plugin")


class Project:
    """The project in `folder`, whose runs have places of their own: temporary folders, a cache.

    They use the server and account `login`, or a private server of `program`.
    """

    def __init__(self, folder: Path, places: Path, prefix: str, program: str = "") -> None:
        self.folder, self.places = folder, places
        self.cache = folder / "cache"
        self.temporary = [places / "tmpfs", places / "tmp"]
        for place in (self.cache, *self.temporary):
            place.mkdir(exist_ok=True)
        (folder / "conftest.py").write_text(CONFTEST)
        (folder / "pytest.ini").write_text("[pytest]\n")
        self.environ = os.environ | {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "THROWAWAY_MYSQLD": program,
            "XDG_CACHE_HOME": str(self.cache),
            "TMPDIR": str(self.temporary[1]),
            "TEST_TMPFS": str(self.temporary[0]),
            "TEST_PREFIX": prefix,
            "TEST_LOGIN": "null",
        }

    def configure(self, login: Login) -> None:
        """Have the runs use a server that is there."""
        self.environ["TEST_LOGIN"] = json.dumps(as_given(login))

    def write(self, **modules: str) -> None:
        """Write test modules."""
        for name, text in modules.items():
            (self.folder / f"test_{name}.py").write_text(text)

    def start(self, *options: str, **environ: str) -> "subprocess.Popen[str]":
        """Start a run in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *PLAIN, *options],
            cwd=self.folder,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *options: str, **environ: str) -> tuple[int, str]:
        """Run to the end; return the exit status and what was said. Raises TimeoutExpired."""
        process = self.start(*options, **environ)
        try:
            said, _ = process.communicate(timeout=WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, SIGKILL)
            raise
        return process.returncode, said

    def left(self) -> list[str]:
        """Return what is left of ended runs: folders, and halves in the cache."""
        halves = self.cache.rglob("*.part")
        folders = (folder for place in self.temporary for folder in place.glob("*mysql-*"))
        return [str(path) for path in (*folders, *halves)]


def check(status: int, said: str) -> None:
    """Raise ChildProcessError where a run has not passed."""
    if status != 0:
        raise ChildProcessError(said)


@contextmanager
def short_folder() -> Iterator[Path]:
    """Make a folder, in memory if there is room, whose path is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="nested-", dir=roomy()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

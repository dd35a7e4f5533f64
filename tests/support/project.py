"""What tests of all packages use: databases, a look into them, a cut connection, `quart mysql`."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from sqlalchemy import Connection

import settings
from db import sync_engine
from throwaway_mysql import Login
from throwaway_mysql.databases.database import TLS, Coordinates, throwaway_database
from throwaway_mysql.masked import Masked
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.testing.relay import CutError

PROJECT = Path(__file__).parents[2]
ALEMBIC = PROJECT / "pyproject.toml"
PROGRAMS = Path(sys.executable).parent
UVICORN = [str(PROGRAMS / "uvicorn"), "--http", "web.http1:Protocol"]  # as in production
AWKWARD = "%s%%@:/#?&;'\"`\\ $é☃"
AWKWARD_FOLDER = "a project%2Fx % %s #$;'\"`\\é☃=,&!*[x]"  # CI names workspaces after branches
MYSQL = [sys.executable, "-c", "from commands import mysql; mysql()"]
Alembic = Callable[..., subprocess.CompletedProcess[str]]  # the command line
ROOT_PASSWORD = "r%o'o\"t☃"  # noqa: S105 (a test's own)


def account_settings(login: Login) -> dict[str, str]:
    """Return the app's settings, as its environment has them, that lead to an account."""
    return {
        "DB_HOST": login.host,
        "DB_PORT": str(login.port),
        "DB_USERNAME": login.user,
        "DB_PASSWORD": login.password,
        "MYSQL_ROOT_PASSWORD": login.password if login.user == "root" else "",
        **dict(zip(TLS, astuple(login.encryption), strict=True)),
    }


@contextmanager
def migrated_database(login: Login) -> Iterator[Coordinates]:
    """Make a throwaway database with the newest schema."""
    with throwaway_database(login, settings.DATABASE_NAME) as coordinates:
        AlembicProject(ALEMBIC, login, coordinates["DATABASE_NAME"]).upgrade()
        yield coordinates


@contextmanager
def connected(coordinates: Coordinates) -> Iterator[Connection]:
    """Connect to a database beside the app; each statement is committed at once."""
    engine = sync_engine(coordinates).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def run_alembic(
    environ: Mapping[str, str], *arguments: str, cwd: Path = PROJECT, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line of Alembic, which is to succeed."""
    done = subprocess.run(
        [PROGRAMS / "alembic", *arguments],
        cwd=cwd,
        env={**environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def cut_once(
    matches: Callable[[bytes, bool], bool], done: asyncio.Event | None = None
) -> Callable[[bytes, bool], Awaitable[None]]:
    """Return what cuts the connection at the first packet that `matches` takes; it sets `done`."""
    done = done or asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        if not done.is_set() and matches(packet, to_server):
            done.set()
            raise CutError

    return watch


@dataclass
class MysqlCommand:
    """`quart mysql` in a copy of the project, whose private server is not this checkout's."""

    folder: Path
    environ: Masked

    def mysql(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `quart mysql`, without the app, which takes thrice as long to load."""
        return subprocess.run(
            [*MYSQL, *arguments],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin to run `quart mysql`."""
        return subprocess.Popen([*MYSQL, *arguments], cwd=self.folder, env=self.environ)

    def login(self, user: str = "counter_user", password: str = AWKWARD) -> Login:
        """Return an account at the project's address."""
        return Login("127.0.0.1", int(self.environ["DB_PORT"]), user, password)

    def query(self, statement: str) -> Sequence[Sequence[object]]:
        """Run a statement as the app's user."""
        with self.login().connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def pid(self) -> int:
        """Return the private server's process id."""
        return int((self.folder / ".mysql/data/mysqld.pid").read_text())


@contextmanager
def own_server(folder: Path) -> Iterator[MysqlCommand]:
    """Give a copy of the project a port and passwords of its own; stop its server at the end."""
    mine = {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(free_port()),
        "DB_USERNAME": "counter_user",
        "DB_PASSWORD": AWKWARD,
        "DATABASE_NAME": "counter",
        "MYSQL_ROOT_PASSWORD": ROOT_PASSWORD,
    }
    project = MysqlCommand(folder, Masked(os.environ | mine))
    try:
        yield project
    finally:
        if (folder / ".mysql/running").exists():
            project.mysql("stop")


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """Check that a command failed with one line that holds no password; return it."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert AWKWARD not in done.stderr
    assert ROOT_PASSWORD not in done.stderr
    return done.stderr.removeprefix("Error: ")

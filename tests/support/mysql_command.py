"""`quart mysql` in a copy of the project, whose private server is not this checkout's."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import Environ
from tests.support.serving import free_port
from throwaway_mysql import Login

AWKWARD = "%s%%@:/#?&;'\"`\\ $é☃"
ROOT_PASSWORD = "r%o'o\"t☃"  # noqa: S105 (a test's own)
MYSQL = [sys.executable, "-c", "from commands import mysql; mysql()"]


@dataclass
class MysqlCommand:
    """The command, run in a folder with an environment."""

    folder: Path
    environ: Environ

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

    def login(self, user: str = "counter_user", password: str = AWKWARD) -> Login:
        """Return an account at the project's address."""
        return Login("127.0.0.1", int(self.environ["DB_PORT"]), user, password)

    def query(self, statement: str) -> Sequence[Sequence[object]]:
        """Run a statement as the app's user."""
        with self.login().connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


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
    project = MysqlCommand(folder, Environ(os.environ | mine))
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

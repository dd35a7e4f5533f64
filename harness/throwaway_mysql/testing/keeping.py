"""A project whose runs keep databases on their private server, and what is told of these."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from throwaway_mysql.testing.looking import guards

CONFTEST = """
import os
from pathlib import Path
import pytest
from throwaway_mysql.servers import run

run.TMPFS = Path(os.environ.get("TEST_TMPFS", run.TMPFS))

@pytest.fixture(scope="session")
def mysql_tcp():
    return bool(os.environ.get("TEST_TCP"))
"""
WRITES = """
import pytest
from throwaway_mysql.testing.looking import run

@pytest.mark.parametrize("number", [1, 2])
def test_it(create_db, mysql_server, number):
    run(mysql_server, create_db["DATABASE_NAME"], "CREATE TABLE t AS SELECT 42 AS n")
    print("named", create_db["DATABASE_NAME"])
    assert number == 1
"""


@dataclass
class Keeper:
    """A project whose runs have a private server."""

    folder: Path
    program: str

    def run(self, module: str, *options: str, **environ: str) -> str:
        """Run a module's tests; return what pytest said."""
        (self.folder / "pytest.ini").write_text("[pytest]\nmysql_database = test\n")
        (self.folder / "conftest.py").write_text(CONFTEST)
        (self.folder / "test_it.py").write_text(module)
        argv = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "-p", "no:randomly"]
        return subprocess.run(
            [*argv, f"--mysqld={self.program}", *options],
            cwd=self.folder,
            env=os.environ | {"TMPDIR": str(self.folder)} | environ,
            capture_output=True,
            text=True,
            check=False,
        ).stdout


@dataclass
class Kept:
    """What a run printed of a database that it kept."""

    database: str
    url: str
    command: str
    folder: Path

    @property
    def server(self) -> int:
        """The server's process."""
        return int((self.folder / "data/mysqld.pid").read_text())


def folders(keeper: Keeper) -> list[Path]:
    """Return the folders of servers that this project's runs have kept."""
    noted = keeper.folder / "folders"
    return [Path(line) for line in noted.read_text().split()] if noted.exists() else []


def kept(keeper: Keeper, said: str) -> list[Kept]:
    """Return what a run says that it kept."""
    found = re.findall(
        r"^kept: (mysql://[^/]+/(\w+)\S*)\n +(mysql .*)\n.*until `throwaway-mysql end (\S+)`$",
        said,
        re.M,
    )
    told = [Kept(name, url, command, Path(folder)) for url, name, command, folder in found]
    with (keeper.folder / "folders").open("a") as noted:
        print(*{one.folder for one in told}, file=noted)
    return told


def end(folder: Path) -> "subprocess.CompletedProcess[str]":
    """End a server that was kept, as a person does."""
    return throwaway_mysql("end", str(folder))


def throwaway_mysql(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    argv = [sys.executable, "-m", "throwaway_mysql", *arguments]
    environ = os.environ | environ
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)


def guard_of(folder: Path) -> int:
    """Return the process that guards a folder."""
    [guard] = guards(folder)
    return guard


def listed(folder: Path) -> list[str]:
    """Return the lines of the list of what is kept that name a folder; others have theirs."""
    done = throwaway_mysql("kept", TMPDIR=str(folder.parent))
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if str(folder) in line]

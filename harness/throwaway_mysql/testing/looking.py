"""A look at processes and databases, for tests that see whether anything was left."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from pymysql.cursors import DictCursor

from throwaway_mysql.accounts import identifier
from throwaway_mysql.databases.holders import connections
from throwaway_mysql.databases.identity import ENDED, lock_of
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login

WITHIN = 60.0  # seconds; no step and no run takes longer, on a busy machine either
# What a server that is being made has among its arguments: MariaDB or MySQL.
MOMENTS = {
    "its system tables": r" --(bootstrap|initialize-insecure)\b",
    "its accounts": r" --skip-networking\b",
}


class Process(NamedTuple):
    """A process, its parent's id, and its command line."""

    pid: int
    parent: int
    command: str

    @property
    def folder(self) -> Path | None:
        """The folder that it works in, or None where that is not ours to know."""
        with suppress(OSError):
            return Path(f"/proc/{self.pid}/cwd").readlink()
        return None


def process(pid: int) -> Process | None:
    """Return a process; None where it has ended, though its parent may not have taken note."""
    folder = Path(f"/proc/{pid}")
    try:
        said = (folder / "stat").read_text(errors="replace")
        command = os.fsdecode((folder / "cmdline").read_bytes())
    except OSError:
        return None
    # proc_pid_stat(5): the name, the second field, may hold anything.
    state, parent, *_ = said.rpartition(")")[2].split()
    return None if state in ENDED else Process(pid, int(parent), command.replace("\0", " "))


def running() -> Iterator[Process]:
    """Find all processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        if found := process(int(folder.name)):
            yield found


def processes(folder: Path) -> list[str]:
    """Return the command lines that name a folder."""
    return [one.command for one in running() if str(folder) in one.command]


def guards(folder: Path) -> list[int]:
    """Return the processes that guard a folder."""
    guarding = re.compile(rf"guard\.py .*{re.escape(str(folder))}")
    return [one.pid for one in running() if guarding.search(one.command)]


def working_in(folder: Path) -> list[int]:
    """Return the processes that work in a folder."""
    return [one.pid for one in running() if one.folder == folder]


def server_runs(folder: Path, flag: str) -> bool:
    """Tell whether a server with that flag, and not only its guard, runs in a folder."""
    servers = [line for line in processes(folder) if "guard.py" not in line]
    return any(re.search(flag, line) for line in servers)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what no event tells of."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Tell whether a process runs."""
    return process(pid) is not None


def is_stopped(pid: int) -> bool:
    """Tell whether SIGSTOP has reached each thread of a process: one may go on a little longer."""
    threads = list(Path(f"/proc/{pid}/task").glob("*/stat"))
    states = [path.read_text(errors="replace").rpartition(")")[2].split()[0] for path in threads]
    return set(states) == {"T"}


def databases(login: Login) -> set[str]:
    """Return the names of the server's databases."""
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        return {name for (name,) in cursor.fetchall()}


def unused(login: Login, database: str, prefix: str) -> bool:
    """Tell whether no connection uses a database, nor has its run's lock.

    That comes a moment after a connection was closed, or its process has ended.
    """
    with Place(login) as place:
        is_free = place.value("SELECT IS_FREE_LOCK(%s)", lock_of(database, prefix))
        return bool(is_free) and not connections(place, database)


def rows(login: Login, database: str) -> dict[str, Any]:
    """Return the rows of each table of a database, each value as the bytes that it is."""
    there = replace(login, database=database)
    with there.connect() as connection, connection.cursor(DictCursor) as cursor:
        cursor.execute("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'")
        names = [next(iter(row.values())) for row in cursor.fetchall()]
        cursor.execute("SET NAMES binary")
        connection.use_unicode = False
        connection.decoders = {}
        found: dict[str, Any] = {}
        for name in names:
            cursor.execute(f"SELECT * FROM {identifier(name)}")  # noqa: S608
            found[name] = list(cursor.fetchall())
    return found


def as_given(login: Login) -> dict[str, object]:
    """Return what Login() makes this account of, such as in another process."""
    return {field.name: getattr(login, field.name) for field in fields(Login)}


def run(login: Login, database: str, *statements: str) -> None:
    """Execute statements in a database."""
    there = replace(login, database=database)
    with there.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)

"""A new server's data folder: the system tables and the first accounts."""

import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from throwaway_mysql import LoggedError, ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.servers.guarded import Guarded
from throwaway_mysql.servers.program import Program, ask
from throwaway_mysql.servers.server import (
    LOOK,
    arguments,
    cause,
    log_size,
    make_ready,
    refuse_full_disk,
    wait_until_ready,
)

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

INITIALISED_WITHIN = 120.0  # seconds
STOPPED_WITHIN = 60.0
# What mariadb-install-db feeds to the server. That script itself needs a program that
# Debian's mariadb-server-core does not have, and as root it changes files of the system.
SYSTEM_TABLES = ("system_tables.sql", "performance_tables.sql", "system_tables_data.sql")


def initialise(
    guarded: Guarded,
    program: Program,
    data: Path,
    prepare: Callable[["Connection[Cursor]"], None],
    flags: Sequence[str] = (),
) -> None:
    """Make the data folder `data`, and let `prepare` make its accounts as root.

    Root has no password before that, so meanwhile the server listens on a socket in a
    folder that nobody else may enter. If this process is killed, all of it goes away with
    the folders of `guarded`, in one of which `data` is.
    """
    data.mkdir(mode=0o700, parents=True)
    make_ready(data)
    _create_system_tables(guarded, program, data, flags)
    login = socket_login(guarded)
    since = log_size(guarded.log)
    guarded.start(arguments(program, data, *flags, *socket_flags(guarded)))
    wait_until_ready(guarded, login, guarded.log, since)
    _refuse_another(guarded, program, data)
    with login.connect() as connection:
        prepare(connection)
    guarded.signal(SIGTERM)
    if guarded.wait(STOPPED_WITHIN) != 0:
        why = cause(guarded.log, since)
        raise LoggedError(f"the data folder was not finished: {why}", guarded.log)


def _refuse_another(guarded: Guarded, program: Program, data: Path) -> None:
    """Raise ServerError where the program, a script, has another process be the server.

    It would end at once by a signal that lets the server finish its work.
    """
    if int((data / "mysqld.pid").read_text()) != guarded.pid:
        guarded.signal(SIGKILL)
        raise ServerError(f"{program.path} runs the server beside itself: begin that with `exec`")


def flush(data: Path) -> None:
    """See that all is on the disk, as what a server makes by itself is."""
    for path in (data, *data.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def socket_login(guarded: Guarded, password: str = "") -> Login:
    """Return the root of a server that listens on a socket only."""
    return Login("localhost", 0, "root", password, unix_socket=str(guarded.sockets / "sock"))


def socket_flags(guarded: Guarded) -> tuple[str, str]:
    """Return the flags of a server that listens on a socket only."""
    return "--skip-networking", f"--socket={guarded.sockets / 'sock'}"


def _create_system_tables(
    guarded: Guarded, program: Program, data: Path, flags: Sequence[str]
) -> None:
    since = log_size(guarded.log)
    if program.family == "MariaDB":
        source = guarded.folder / "bootstrap.sql"
        source.write_bytes(bootstrap_script(program))
        argv = arguments(program, data, *flags, "--bootstrap", "--log-warnings=0")
        guarded.start(argv, source)
    else:
        guarded.start(arguments(program, data, *flags, "--initialize-insecure"))
    deadline = time.monotonic() + INITIALISED_WITHIN
    while (status := guarded.poll(LOOK)) is None:
        refuse_full_disk(guarded.log, since)
        if time.monotonic() > deadline:
            raise LoggedError("the data folder took too long to make", guarded.log)
    if status != 0:
        why = cause(guarded.log, since)
        raise LoggedError(f"the data folder could not be made: {why}", guarded.log)


def system_tables(share: Path) -> list[Path]:
    """Return the SQL files of a MariaDB in the order in which they make the system tables.

    MariaDB 11 renamed them. Raises ServerError where `share` lacks one.
    """
    for family in ("mariadb", "mysql"):
        files = [share / f"{family}_{name}" for name in SYSTEM_TABLES]
        if all(file.exists() for file in files):
            return files
    raise ServerError(f"the server is installed without its SQL files, such as {files[0]}")


def bootstrap_script(program: Program) -> bytes:
    """Return the SQL that makes a MariaDB's system tables, and a root without a password."""
    lines = ["create database mysql;", "use mysql;", "set @auth_root_socket=null;"]
    for file in system_tables(_share(program)):
        # As the installer does: no account for this machine's name.
        text = file.read_text(encoding="utf-8")
        lines += [line for line in text.splitlines() if "@current_hostname" not in line]
    return "\n".join([*lines, ""]).encode()


def _share(program: Program) -> Path:
    said = ask(program, "--verbose", "--help")
    found = re.search(r"^character-sets-dir\s+(\S.*?)/?$", said, re.M)
    return Path(found[1]).parent if found else Path("/usr/share/mysql")

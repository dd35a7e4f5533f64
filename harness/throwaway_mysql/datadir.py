"""A new server's data folder: the system tables and the first accounts."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGTERM

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.program import Program
from throwaway_mysql.server import Guarded, arguments, cause, log_size, make_ready, wait_until_ready

INITIALISED_WITHIN = 120.0  # seconds
STOPPED_WITHIN = 60.0
# What mariadb-install-db feeds to the server. That script itself needs a program that
# Debian's mariadb-server-core does not have, and as root it changes files of the system.
SYSTEM_TABLES = ("system_tables.sql", "performance_tables.sql", "system_tables_data.sql")


def initialise(
    program: Program,
    data: Path,
    log: Path,
    prepare: Callable[["Connection[Cursor]"], None],
    flags: Sequence[str] = (),
) -> None:
    """Make the data folder `data`, and let `prepare` make its accounts as root.

    Root has no password before that, so meanwhile the server listens on a socket in a
    folder that nobody else may enter. If this process is killed, all of it goes away, and
    so does the folder that `data` is in.
    """
    data.mkdir(mode=0o700, parents=True)
    make_ready(data)
    # Not below TMPDIR, which may be too long for a socket's path.
    with tempfile.TemporaryDirectory(prefix="mysql-", dir="/tmp") as name:
        folders = [data.parent, Path(name)]
        _create_system_tables(program, data, log, flags, folders)
        login = Login("localhost", 0, "root", "", unix_socket=f"{name}/sock")
        since = log_size(log)
        argv = arguments(program, data, *flags, "--skip-networking", f"--socket={name}/sock")
        server = Guarded(argv, log, folders)
        try:
            wait_until_ready(server.process, login, log, since)
            with login.connect() as connection:
                prepare(connection)
            os.kill(server.pid, SIGTERM)
            server.wait(STOPPED_WITHIN)
        finally:
            server.close()


def _create_system_tables(
    program: Program, data: Path, log: Path, flags: Sequence[str], folders: Sequence[Path]
) -> None:
    source = None
    if program.family == "MariaDB":
        argv = arguments(program, data, *flags, "--bootstrap", "--log-warnings=0")
        source = folders[-1] / "bootstrap.sql"
        source.write_bytes(_bootstrap_script(system_tables(_share(program))))
    else:
        argv = arguments(program, data, *flags, "--initialize-insecure")
    since = log_size(log)
    installer = Guarded(argv, log, folders, source)
    try:
        if installer.wait(INITIALISED_WITHIN) != 0:
            raise ServerError(f"the data folder could not be made: {cause(log, since)}")
    finally:
        installer.close()


def system_tables(share: Path) -> list[Path]:
    """Return the SQL files of a MariaDB in the order in which they make the system tables.

    MariaDB 11 renamed them. Raises ServerError where `share` lacks one.
    """
    for family in ("mariadb", "mysql"):
        files = [share / f"{family}_{name}" for name in SYSTEM_TABLES]
        if all(file.exists() for file in files):
            return files
    raise ServerError(f"the server is installed without its SQL files, such as {files[0]}")


def _bootstrap_script(files: Sequence[Path]) -> bytes:
    lines = ["create database mysql;", "use mysql;", "set @auth_root_socket=null;"]
    for file in files:
        # As the installer does: no account for this machine's name.
        text = file.read_text()
        lines += [line for line in text.splitlines() if "@current_hostname" not in line]
    return "\n".join([*lines, ""]).encode()


def _share(program: Program) -> Path:
    said = subprocess.run(
        [program.path, "--no-defaults", "--verbose", "--help"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"^character-sets-dir\s+(\S.*?)/?$", said, re.M)
    return Path(found[1]).parent if found else Path("/usr/share/mysql")

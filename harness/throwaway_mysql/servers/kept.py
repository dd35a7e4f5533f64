"""A run's server that goes on after the run, for a person to look into what was kept."""

import os
import shlex
import shutil
from pathlib import Path
from signal import SIGTERM

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.servers.guard import KEPT
from throwaway_mysql.servers.hold import await_guard, is_guarded
from throwaway_mysql.servers.run import one_line
from throwaway_mysql.servers.shared import SharedLogin

OPTIONS = "client.cnf"
# As option files have it: MySQL's manual, "Using Option Files".
ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r"})


def keep_server(login: SharedLogin) -> None:
    """Let the run's server outlive the run, and write how `mysql` logs in there."""
    with one_line():
        options = login.folder / OPTIONS
        options.touch(mode=0o600)
        options.write_text(_options(login))
        (login.folder / KEPT).touch()


def ways_in(login: Login, database: str) -> list[str]:
    """Return a kept database's URL, how to look into it and how to end it; no password."""
    where = f"-h {login.host} -P {login.port}"
    if login.unix_socket:
        where = f"-S {shlex.quote(login.unix_socket)}"
    lines = [f"kept: {_url(login, database)}"]
    if not isinstance(login, SharedLogin):
        return [*lines, f"      mysql {where} -u {login.user} -p {database}"]
    folder = shlex.quote(str(login.folder))
    return [
        *lines,
        f"      mysql --defaults-file={folder}/{OPTIONS} {database}",
        f"      its server goes on until `throwaway-mysql end {folder}`",
    ]


def end(folder: Path) -> str:
    """End a server that a run kept, and remove its folder; return one line that tells."""
    with one_line():
        if not (folder / KEPT).exists():
            raise ServerError(f"there is no server in {folder} that a run kept")
        if is_guarded(folder):  # else its id may be another's by now
            os.kill(int((folder / "data/mysqld.pid").read_text()), SIGTERM)
            await_guard(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return f"the server in {folder} has ended, and what it kept is gone"


def _url(login: Login, database: str) -> str:
    if login.unix_socket:
        return f"mysql://{login.user}@localhost/{database}?unix_socket={login.unix_socket}"
    return f"mysql://{login.user}@{login.address}/{database}"


def _options(login: Login) -> str:
    password = login.password.translate(ESCAPED)
    where = f"host={login.host}\nport={login.port}\nprotocol=tcp\n"
    if login.unix_socket:
        where = f"socket={login.unix_socket}\n"
    return f'[client]\n{where}user={login.user}\npassword="{password}"\n'

"""A run's server that goes on after the run, for a person to look into what was kept."""

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGTERM
from threading import Thread

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.servers import hold, leftovers
from throwaway_mysql.servers.guard import KEPT
from throwaway_mysql.servers.run import places
from throwaway_mysql.servers.shared import SharedLogin, login_there
from throwaway_mysql.servers.trouble import one_line

ENDED_WITHIN = 60.0  # seconds
OPTION_FILE = "client.cnf"
# As option files have it: MySQL's manual, "Using Option Files".
ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r"})


def keep_server(login: SharedLogin) -> None:
    """Let the run's server outlive the run, and write how `mysql` logs in there."""
    with one_line(f"the server in {login.folder} cannot be kept"):
        options = login.folder / OPTION_FILE
        options.touch(mode=0o600)
        options.write_text(_options(login), encoding="utf-8")
        (login.folder / KEPT).touch()


def servers() -> Iterator[SharedLogin]:
    """Yield root's account on each server that a run of this user has kept."""
    for folder in leftovers.kept(places()):
        with suppress(FileNotFoundError):  # it has just ended
            yield login_there(folder)


def ways_in(login: Login, database: str) -> list[str]:
    """Return a kept database's URL, how to look into it and how to end it; no password."""
    where = f"-h {login.host} -P {login.port}"
    if login.unix_socket:
        where = f"-S {shlex.quote(login.unix_socket)}"
    lines = [f"kept: {login.url('mysql', database, password=False)}"]
    if not isinstance(login, SharedLogin):
        return [*lines, f"      mysql {where} -u {shlex.quote(login.user)} -p {database}"]
    folder = shlex.quote(str(login.folder))
    return [
        *lines,
        f"      mysql --defaults-file={folder}/{OPTION_FILE} {database}",
        f"      its server goes on until `{way_out(login)}`",
    ]


def way_out(login: SharedLogin) -> str:
    """Return the command that ends a kept server."""
    return f"throwaway-mysql end {shlex.quote(str(login.folder))}"


def has_run(login: SharedLogin) -> bool:
    """Tell whether the run that keeps something there goes on; until then end() refuses."""
    return hold.has_run(login.folder)


def end(folder: Path) -> str:
    """End a server that a run kept, and remove its folder; return one line that tells."""
    folder = folder.absolute()
    with one_line(f"{folder} cannot be ended"):
        if not leftovers.is_kept(folder):
            raise ServerError(f"there is no server in {folder} that a run kept")
        if hold.has_run(folder):
            raise ServerError(f"{folder} is still in use by the run that made it: end that first")
        if not _is_cleared(folder):
            for pid in _servers(folder):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(pid, SIGTERM)
            _await_guard(folder)
    if folder.exists():
        raise ServerError(f"{folder} is just being removed by another process: look again")
    return f"the server in {folder} has ended, and what it kept is gone"


def _is_cleared(folder: Path) -> bool:
    """Remove the folder, and end its server, if it has no guard; tell whether that is so."""
    with hold.abandoned(folder, hold.LOOK_WITHIN) as so:
        if so:
            leftovers.clear(folder)
    return so


def _servers(folder: Path) -> list[int]:
    """Return the processes of a server that has a guard.

    The id in the server's own file, all that there is without /proc, is another's where the
    server was killed and its guard has yet to remove that.
    """
    if Path("/proc/self").exists():
        return list(leftovers.servers([folder]))
    return [int((folder / "data/mysqld.pid").read_text())]


def _await_guard(folder: Path) -> None:
    waiting = Thread(target=hold.await_guard, args=[folder], daemon=True)
    waiting.start()
    waiting.join(ENDED_WITHIN)
    if waiting.is_alive():
        raise ServerError(
            f"the server in {folder} has not ended within {ENDED_WITHIN:.0f} s: "
            f"see {folder}/server.log, and try again"
        )


def _options(login: Login) -> str:
    password = login.password.translate(ESCAPED)
    where = f"host={login.host}\nport={login.port}\nprotocol=tcp\n"
    if login.unix_socket:
        where = f"socket={login.unix_socket}\n"
    return f'[client]\n{where}user={login.user}\npassword="{password}"\n'

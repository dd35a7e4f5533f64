"""The one private server of a run, which all its processes use.

The process that is the run (pytest, or the controller of pytest-xdist) claims a RunFolder, and
hands its path to the others. The first that needs a server starts it; the others read where it
is. It ends with the run, however that ends, and not with who started it.
"""

import fcntl
import json
import os
import secrets
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throwaway_mysql import guard
from throwaway_mysql.errors import ServerError, one_line
from throwaway_mysql.folder import (
    BEGIN,
    RunFolder,
    has_run,
    is_ours,
    run_folders,
    sweep_folders,
)
from throwaway_mysql.guard import now
from throwaway_mysql.login import Answer, Login, LoginError
from throwaway_mysql.process import cause, log_size
from throwaway_mysql.server import Server, reserve_port

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

__all__ = [
    "RunFolder",
    "RunLogin",
    "end_kept",
    "keep_server",
    "kept_servers",
    "planned_login",
    "run_server",
    "sweep_folders",
]

ABANDONED = "the process that was starting the private server of this run has ended"
KILLED = "it was killed, perhaps because memory ran out"  # else it has written to its log
PLAN, STATE = "login.json", "server.json"  # files in the folder
LAST_WORDS_WITHIN = 10.0  # seconds between a server's silence and its end
KEPT_ENDED_WITHIN = 60.0
POLL = 0.02
OPTION_FILE = "client.cnf"
# As option files have it: MySQL's manual, "Using Option Files".
ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\t": r"\t", "\r": r"\r"})


@dataclass(frozen=True)
class RunLogin(Login):
    """The run's server; where it has ended, connect() says why, as its log tells."""

    log: str = ""
    since: int = 0  # bytes that the log had when the server was ready
    program: str = ""  # its family and version
    how: str = ""  # its data came to be
    first: bool = False  # whether the call that returned this has started it

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return Path(self.log).parent

    def connect(self, timeout: float = 30, client_flag: int = 0) -> "Connection[Cursor]":
        """Return a connection as Login.connect() does."""
        deadline = now() + LAST_WORDS_WITHIN
        while True:
            try:
                return super().connect(timeout, client_flag)
            except LoginError as error:
                if error.answer not in (Answer.NOTHING, Answer.STRANGER):
                    raise
                failure = error
            if not guard.servers(str(self.folder)):
                raise LoginError(self._ended(), Answer.NOTHING)
            if now() > deadline:
                raise failure
            time.sleep(POLL)  # it may be about to end

    def _ended(self) -> str:
        log = Path(self.log)
        try:
            reason = cause(log, self.since) if log.stat().st_size > self.since else KILLED
        except OSError:
            reason = "its folder has been removed"
        return f"the private server of this run has ended: {reason}"


def planned_login(folder: Path, *, tcp: bool = False) -> Login:
    """Return root's account on the server that run_server() starts, or has started.

    The first call decides on it, and reserves its port for as long as this process lives.
    """
    plan = folder / PLAN
    with one_line("cannot start a server for the tests"), _alone(folder, "planning"):
        if not plan.exists():
            port = 0
            if tcp:
                reserved, port = reserve_port()
                reserved.detach()  # it stays open until this process ends
            _write(plan, {"port": port, "password": secrets.token_urlsafe(16)})
        decided = json.loads(plan.read_text())
    if decided["port"]:
        return Login("127.0.0.1", decided["port"], "root", decided["password"])
    unix_socket = str(folder / "sock")
    return Login("localhost", 0, "root", decided["password"], unix_socket=unix_socket)


def run_server(
    folder: Path, program: str = "", *, tcp: bool = False, flags: Sequence[str] = ()
) -> RunLogin:
    """Return root's account on the server of a RunFolder's folder, which may be started by that.

    `program`, `tcp` and `flags` are Server's. Raises ServerError where the server does not
    start, in each process the same.
    """
    login = planned_login(folder, tcp=tcp)
    state = folder / STATE
    with one_line("cannot start a server for the tests"), _alone(folder, "starting"):
        first = not state.exists()
        if first:
            _write(state, {"error": ABANDONED})
            _write(state, _start(folder, program, login, flags))
        return _login_of(folder, login, first=first)


def keep_server(login: RunLogin) -> None:
    """Let the run's server outlive the run, and write how `mysql` logs in there."""
    with one_line(f"the server in {login.folder} cannot be kept"):
        options = login.folder / OPTION_FILE
        options.touch(mode=0o600)
        options.write_text(_options(login), encoding="utf-8")
        (login.folder / guard.KEPT).touch()


def kept_servers() -> Iterator[RunLogin]:
    """Yield root's account on each server that a run of this user has kept."""
    for folder in run_folders():
        if _is_kept(folder):
            with suppress(FileNotFoundError, ServerError):  # it has just ended
                yield _login_of(folder, planned_login(folder), first=False)


def end_kept(folder: Path) -> str:
    """End a server that a run kept, and remove its folder; return one line that tells."""
    folder = folder.absolute()
    with one_line(f"{folder} cannot be ended"):
        if not _is_kept(folder):
            raise ServerError(f"there is no server in {folder} that a run kept")
        folder = folder.resolve()
        if has_run(folder):
            raise ServerError(f"{folder} is still in use by the run that made it: end that first")
        for pid in guard.servers(str(folder)):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGTERM)
        deadline = now() + KEPT_ENDED_WITHIN
        while guard.servers(str(folder)):
            if now() > deadline:
                raise ServerError(
                    f"the server in {folder} has not ended within {KEPT_ENDED_WITHIN:.0f} s: "
                    f"see {folder}/server.log, and try again"
                )
            time.sleep(POLL)
        guard.clear(str(folder))
    return f"the server in {folder} has ended, and what it kept is gone"


def ways_in(login: Login, database: str) -> list[str]:
    """Return a kept database's URL, how to look into it and how to end it; no password."""
    where = f"-h {login.host} -P {login.port}"
    if login.unix_socket:
        where = f"-S {shlex.quote(login.unix_socket)}"
    lines = [f"kept: {login.url('mysql', database, password=False)}"]
    if not isinstance(login, RunLogin):
        return [*lines, f"      mysql {where} -u {shlex.quote(login.user)} -p {database}"]
    folder = shlex.quote(str(login.folder))
    return [
        *lines,
        f"      mysql --defaults-file={folder}/{OPTION_FILE} {database}",
        f"      its server goes on until `throwaway-mysql end {folder}`",
    ]


def _start(folder: Path, program: str, login: Login, flags: Sequence[str]) -> dict[str, Any]:
    try:
        server = Server(
            program,
            flags=flags,
            tcp=not login.unix_socket,
            port=login.port,
            folder=folder,
            password=login.password,
        )
    except ServerError as error:
        return {"error": str(error)}
    server.close()  # for us: it goes on
    return {
        "log": str(server.log),
        "since": log_size(server.log),
        "program": str(server.program),
        "how": "from a template" if server.copied else "initialised",
    }


def _login_of(folder: Path, login: Login, *, first: bool) -> RunLogin:
    state = json.loads((folder / STATE).read_text())
    if error := state.get("error"):
        raise ServerError(error)
    return RunLogin(**asdict(login), **state, first=first)


def _write(file: Path, content: dict[str, Any]) -> None:
    """Write a file whole or not at all, for this user only."""
    part = file.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(content))
    part.replace(file)


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    """Let one process of the run do something; the others wait for it."""
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_kept(folder: Path) -> bool:
    files = (folder / "alive", folder / guard.KEPT)
    return folder.name.startswith(BEGIN) and is_ours(folder) and all(map(Path.is_file, files))


def _options(login: Login) -> str:
    password = login.password.translate(ESCAPED)
    where = f"host={login.host}\nport={login.port}\nprotocol=tcp\n"
    if login.unix_socket:
        where = f"socket={login.unix_socket}\n"
    return f'[client]\n{where}user={login.user}\npassword="{password}"\n'

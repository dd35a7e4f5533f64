"""The one private server of a run, which all its processes use.

The process that is the run (pytest, or the controller of pytest-xdist) makes a RunFolder, and
hands its path to the others. The first that needs a server starts it; the others read where it
is. It ends with the run, however that ends, and not with who started it.
"""

import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throwaway_mysql import guard
from throwaway_mysql.errors import ServerError, one_line
from throwaway_mysql.folder import alone
from throwaway_mysql.guard import now
from throwaway_mysql.login import Answer, Login, LoginError
from throwaway_mysql.process import cause, log_size
from throwaway_mysql.server import Server, new_root

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

CANNOT_START = "cannot start a server for the tests"
ABANDONED = "the process that was starting the private server of this run has ended"
KILLED = "it was killed, perhaps because memory ran out"  # else it has written to its log
PLAN, STATE = "login.json", "server.json"  # files in the folder
LAST_WORDS_WITHIN = 10.0  # seconds between a server's silence and its end
POLL = 0.02
OPTION_FILE = "client.cnf"


@dataclass(frozen=True)
class RunLogin(Login):
    """The run's server; where it has ended, connect() says why, as its log tells."""

    log: str = ""
    since: int = 0  # bytes that the log had when the server was ready
    program: str = ""  # its family and version
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
    with one_line(CANNOT_START), alone(folder):
        if not plan.exists():
            plan.write_text(json.dumps(asdict(new_root(folder, tcp=tcp))))
        return Login(**json.loads(plan.read_text()))


def run_server(
    folder: Path, program: str = "", *, tcp: bool = False, flags: Sequence[str] = ()
) -> RunLogin:
    """Return root's account on the server of a RunFolder's folder, which may be started by that.

    `program`, `tcp` and `flags` are Server's. Raises ServerError where the server does not
    start, in each process the same.
    """
    login, state = planned_login(folder, tcp=tcp), folder / STATE
    with one_line(CANNOT_START), alone(folder):
        first = not state.exists()
        if first:
            state.write_text(json.dumps({"error": ABANDONED}))
            state.write_text(json.dumps(_start(folder, program, login, flags)))
        started = json.loads(state.read_text())
    if error := started.get("error"):
        raise ServerError(error)
    return RunLogin(**asdict(login), **started, first=first)


def keep_server(login: RunLogin) -> None:
    """Let the run's server outlive the run, and write how `mysql` logs in there."""
    # The password has no character that an option file would have to quote.
    text = f"[client]\nsocket={login.folder}/sock\nuser=root\npassword={login.password}\n"
    with one_line(f"the server in {login.folder} cannot be kept"):
        options = login.folder / OPTION_FILE
        options.touch(mode=0o600)
        options.write_text(text)
        (login.folder / guard.KEPT).touch()


def ways_in(login: Login, database: str) -> list[str]:
    """Return a kept database's URL, how to look into it and how to end it; no password."""
    url = f"kept: {login.url('mysql', database, password=False)}"
    if isinstance(login, RunLogin):
        options = shlex.quote(f"{login.folder}/{OPTION_FILE}")
        pids = " ".join(map(str, guard.servers(str(login.folder))))
        return [
            url,
            f"      mysql --defaults-file={options} {database}",
            f"      its server goes on until `kill {pids}`",
        ]
    where = f"-h {login.host} -P {login.port}"
    if login.unix_socket:
        where = f"-S {shlex.quote(login.unix_socket)}"
    return [url, f"      mysql {where} -u {shlex.quote(login.user)} -p {database}"]


def _start(folder: Path, program: str, login: Login, flags: Sequence[str]) -> dict[str, Any]:
    try:
        server = Server(program, flags=flags, folder=folder, root=login)
    except ServerError as error:
        return {"error": str(error)}
    server.close()  # for us: it goes on
    return {
        "log": str(server.log),
        "since": log_size(server.log),
        "program": str(server.program),
    }

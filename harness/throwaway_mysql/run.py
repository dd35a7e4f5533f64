"""A run's private server, which all its processes share.

The run's main process (pytest, or the controller of pytest-xdist) makes a RunFolder, and hands
its path to the others. The first process that needs the server starts it; the others read its
address. It ends with the run, however that ends, not with the process that started it.
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
KILLED = "it was killed, perhaps because memory ran out"  # otherwise its log would say more
PLAN, STATE = "login.json", "server.json"  # files in the folder
LAST_WORDS_WITHIN = 10.0  # seconds between a server's silence and its end
POLL = 0.02
OPTION_FILE = "client.cnf"


@dataclass(frozen=True)
class RunLogin(Login):
    """The run's server; if it has ended, connect() raises an error that says why."""

    log: str = ""
    since: int = 0  # the log's size in bytes when the server was ready
    program: str = ""  # its family and version
    first: bool = False  # whether the call that returned this started the server

    @property
    def folder(self) -> Path:
        """The run's folder."""
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
            time.sleep(POLL)  # the server may be about to end

    def _ended(self) -> str:
        log = Path(self.log)
        try:
            reason = cause(log, self.since) if log.stat().st_size > self.since else KILLED
        except OSError:
            reason = "its folder has been removed"
        return f"the private server of this run has ended: {reason}"


def planned_login(folder: Path, *, tcp: bool = False) -> Login:
    """Return root's account on the server that run_server() starts, or has started.

    The first call chooses it, and reserves its port for as long as this process lives.
    """
    plan = folder / PLAN
    with one_line(CANNOT_START), alone(folder):
        if not plan.exists():
            plan.write_text(json.dumps(asdict(new_root(folder, tcp=tcp))))
        return Login(**json.loads(plan.read_text()))


def run_server(
    folder: Path, program: str = "", *, tcp: bool = False, flags: Sequence[str] = ()
) -> RunLogin:
    """Return root's account on the server in a run's folder; the first call starts it.

    `program`, `tcp` and `flags` are Server's. If the server does not start, each process raises
    the same ServerError.
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
    """Let the run's server outlive the run, and write an option file with which `mysql` logs in."""
    # The password has no character that needs quotes in an option file.
    text = f"[client]\nsocket={login.folder}/sock\nuser=root\npassword={login.password}\n"
    with one_line(f"the server in {login.folder} cannot be kept"):
        options = login.folder / OPTION_FILE
        options.touch(mode=0o600)
        options.write_text(text)
        (login.folder / guard.KEPT).touch()


def ways_in(login: Login, database: str) -> list[str]:
    """Return lines with a kept database's URL and the commands to open it and end its server."""
    url = login.url("mysql", database, password=False)
    if isinstance(login, RunLogin):
        options = shlex.quote(f"{login.folder}/{OPTION_FILE}")
        pids = " ".join(map(str, guard.servers(str(login.folder))))
        return [
            f"{url}, its password in the file below",
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
    server.close()  # the server itself goes on
    return {
        "log": str(server.log),
        "since": log_size(server.log),
        "program": str(server.program),
    }

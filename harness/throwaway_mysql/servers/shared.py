"""The one private server of a run, which all its processes use.

The process that is the run (pytest, or the controller of pytest-xdist) makes a Home, and
hands its folder to the others. The first that needs a server starts it; the others read
where it is. It ends with the run, however that ends, and not with who started it.
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from throwaway_mysql import ServerError, cache
from throwaway_mysql.login import Answer, Login, LoginError
from throwaway_mysql.servers import leftovers
from throwaway_mysql.servers.guard import KEPT
from throwaway_mysql.servers.hold import await_guard, is_guarded
from throwaway_mysql.servers.run import RunServer, claim
from throwaway_mysql.servers.server import POLL, cause, log_size
from throwaway_mysql.servers.trouble import one_line

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

ABANDONED = "the process that started the private server of this run was ended meanwhile"
JOINED = "started by another worker"
ADDRESS = "address"  # the file that tells all processes of the run where the server is
LAST_WORDS_WITHIN = 10.0  # seconds between a server's silence and a word on that in its log


class Home:
    """A folder for the run's server, until close() or the end of this process.

    A file `kept` in it makes both outlive that, until someone ends the server.
    """

    def __init__(self) -> None:
        with one_line():
            self.folder, self._hold = claim()
        self._process = os.getpid()

    def release(self) -> None:
        """Let the server, if there is one, be ended meanwhile: close() has less to wait for."""
        self._hold.close()

    def close(self) -> None:
        """End the server, if there is one, and remove the folder, unless they are kept."""
        self.release()
        if self._process != os.getpid() or (self.folder / KEPT).exists():
            return  # a forked child's copy is not the run's
        await_guard(self.folder)
        leftovers.clear(self.folder)  # where the guard was killed


@dataclass(frozen=True)
class SharedLogin(Login):
    """The run's server; where it has ended, connect() says why, as its log tells."""

    log: str = ""
    since: int = 0  # bytes that the log had when the server was ready
    program: str = ""  # its family and version
    how: str = ""  # it came to be, for this process

    @property
    def folder(self) -> Path:
        """The folder of the run's Home."""
        return Path(self.log).parent

    def connect(self, timeout: float = 30, client_flag: int = 0) -> "Connection[Cursor]":
        """Return a connection as Login.connect() does."""
        deadline = time.monotonic() + LAST_WORDS_WITHIN
        while True:
            try:
                return super().connect(timeout, client_flag)
            except LoginError as error:
                if error.answer not in (Answer.NOTHING, Answer.STRANGER):
                    raise
                failure = error
            late = time.monotonic() > deadline
            if failure.answer is Answer.NOTHING and (late or self._has_last_words()):
                raise LoginError(self._ended(), Answer.NOTHING)
            if late:
                raise failure
            time.sleep(POLL)  # it may be about to end

    def _has_last_words(self) -> bool:
        """Tell whether the log has more than it had, or nobody is left who writes there."""
        return not is_guarded(self.folder) or log_size(Path(self.log)) > self.since

    def _ended(self) -> str:
        try:
            reason = cause(Path(self.log), self.since)
        except OSError:
            reason = "its folder has been removed"
        return f"the private server of this run has ended: {reason}"


def shared_login(folder: Path, program_path: str = "", *, tcp: bool = False) -> SharedLogin:
    """Return the account of root on the server of the Home in `folder`.

    It is started unless another process has done so. `program_path` and `tcp` are
    RunServer's. Raises ServerError where the server doesn't start, in each process the same.
    """
    with _alone(folder):
        address = folder / ADDRESS
        first = not address.exists()
        if first:
            _tell(address, {"error": ABANDONED})
            _tell(address, _start(folder, program_path, tcp=tcp))
        login = login_there(folder)
    return login if first else replace(login, how=JOINED)


def login_there(folder: Path) -> SharedLogin:
    """Return the account that shared_login() has made there, or raise what that has raised."""
    said = json.loads((folder / ADDRESS).read_text())
    if error := said.get("error"):
        raise ServerError(error)
    return SharedLogin(**said)


def _tell(address: Path, what: dict[str, object]) -> None:
    """Write for the others where the server is, or what is wrong; whole, or not at all."""
    with one_line("the run's processes cannot be told where the server is"):
        cache.replace(address, lambda part: part.write_text(json.dumps(what)))


def _start(folder: Path, program_path: str, *, tcp: bool) -> dict[str, object]:
    try:
        server = RunServer(program_path, tcp=tcp, folder=folder)
    except ServerError as error:
        return {"error": str(error)}
    server.close()  # for us: it goes on
    more = {
        "log": str(server.log),
        "since": log_size(server.log),
        "program": str(server.program),
        "how": "from a template" if server.copied else "initialised",
    }
    return asdict(server.root) | more


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process of the run start the server; the others wait for it."""
    with one_line():
        descriptor = os.open(folder / "starting", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

"""A server that outlives its starter and keeps its data: its folder, its process, its locks."""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import ServerError
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.servers import leftovers
from throwaway_mysql.servers.datadir import initialise
from throwaway_mysql.servers.guarded import guarding
from throwaway_mysql.servers.hold import await_guard, has_run
from throwaway_mysql.servers.program import Program
from throwaway_mysql.servers.server import (
    arguments,
    listen_flags,
    log_size,
    make_ready,
    start,
    wait_until_ready,
)

SETTLED_WITHIN = 60.0  # seconds
POLL = 0.02
UNFINISHED = ".throwaway-mysql-unfinished-"  # a name that nothing of a person's has
OWN = {"data", "lock", "running", "server.log", "tmp"}


class Lasting:
    """The server of the folder `folder`, which is new or empty at the first start.

    While it runs it holds a lock on the file `running`, inherited at its start, which ends with
    the process however that ends: a pid file alone may name someone else's process. The file
    has its address.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()  # a server program takes relative paths from elsewhere
        self.data, self.log = self.folder / "data", self.folder / "server.log"
        self._running = self.folder / "running"

    def make(self, program: Program, prepare: Callable[["Connection[Cursor]"], None]) -> None:
        """Make the data; `prepare` makes the accounts.

        Raises ServerError where the folder has anything else: a person's file may have one of
        the names that are written here.
        """
        for path in self.folder.iterdir():
            if path.name not in OWN and not path.name.startswith(UNFINISHED):
                raise ServerError(
                    f"{self.folder} has {path.name} in it, which is not a server's: move it away, "
                    "or name a new folder"
                )
        # Made beside and then renamed: a start that is cut short leaves no half of a folder.
        self._sweep()
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        with guarding(unfinished, self.log) as guarded:
            initialise(guarded, program, unfinished / "data", prepare)
            (unfinished / "data/made-by").write_text(str(program))
            (unfinished / "data").rename(self.data)

    def _sweep(self) -> None:
        """Remove what starts left that were killed; a guard that has yet to end is awaited."""
        for unfinished in self.folder.glob(f"{UNFINISHED}*"):
            if not has_run(unfinished):
                await_guard(unfinished)
        leftovers.sweep([self.folder], UNFINISHED)

    def launch(self, program: Program, user: Login) -> None:
        """Start the server on the data, and return once it answers `user`, if by a refusal."""
        make_ready(self.data)
        argv = arguments(program, self.data, *listen_flags(user.host, user.port))
        since = log_size(self.log)
        with self._running.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._running.write_text(user.address)
            process = start(argv, self.log, pass_fds=[lock.fileno()])
            try:
                # The settings may name another account than when it was made.
                ready = (Answer.SERVICE, Answer.REFUSAL)
                wait_until_ready(process, user, self.log, since, ready)
            except BaseException:
                process.terminate()
                process.wait(SETTLED_WITHIN)
                raise
        process.returncode = 0  # it is meant to outlive us
        if self.made_by() != str(program):  # a newer one, which has upgraded the data
            newer = self.data / "made-by.new"
            newer.write_text(str(program))
            newer.replace(self.data / "made-by")

    def stop(self) -> None:
        """Stop the server, which runs, and wait until it has ended."""
        os.kill(self._pid(), SIGTERM)
        deadline = time.monotonic() + SETTLED_WITHIN
        while self.runs():
            if time.monotonic() > deadline:
                raise ServerError(f"the private server still runs: see {self.log}")
            time.sleep(POLL)

    def runs(self) -> bool:
        """Tell whether the server's process has not ended."""
        if not self._running.exists():
            return False
        with self._running.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def address(self) -> str:
        """Return where the server listens, which runs; "" where it has only begun."""
        return self._running.read_text()

    def made_by(self) -> str:
        """Return the program that made or upgraded the data, such as `MariaDB 10.11.6`."""
        return (self.data / "made-by").read_text()

    def _pid(self) -> int:
        try:
            return int((self.data / "mysqld.pid").read_text())
        except (OSError, ValueError):
            raise ServerError(f"the private server has no process id in {self.data}") from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one starter or stopper work at a time; the others wait."""
        with self.usable():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with (self.folder / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Tell in one line what the system refuses."""
        try:
            yield
        except OSError as error:
            where = error.filename or self.folder
            raise ServerError(f"cannot use {where}: {error.strerror}") from None

"""A server for one test run: fast, in memory where there is room, gone with the run."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from signal import Signals

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import set_root_password
from throwaway_mysql.datadir import initialise
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.process import free_port
from throwaway_mysql.program import Program, find_program
from throwaway_mysql.server import (
    TAKEN,
    Guarded,
    arguments,
    listen_flags,
    log_size,
    make_ready,
    throwaway_flags,
    wait_until_ready,
)

TMPFS = Path("/dev/shm")  # noqa: S108 (mkdtemp makes the names)
ROOM = 512 * 1024 * 1024  # bytes that must be free there; containers often have 64 MiB in all
PORTS = 3  # that a first start tries
STOPPED_WITHIN = 60.0  # seconds


class RunServer:
    """A server on a free port of 127.0.0.1 that dies with this process, however it dies.

    `program_path` is the server program, by default the first that this machine has;
    `durable` puts the data on disk and flushes each commit, for measurements; `inside` is
    another folder for the data, and `flags` are more options of the server's.
    Raises ServerError where there is none or it does not start.
    """

    def __init__(
        self,
        program_path: str = "",
        *,
        durable: bool = False,
        inside: Path | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self.program: Program = find_program(program_path)
        place = inside or (None if durable else _roomy())
        self.folder = Path(tempfile.mkdtemp(prefix="throwaway-mysql-", dir=place))
        self._flags = (*(() if durable else throwaway_flags(self.program)), *flags)
        # Signs that a URL, a format string, SQL or latin-1 might trip over.
        password = secrets.token_hex(8) + "%s@:/#?'\"\\ é☃"
        self.root = Login("127.0.0.1", 0, "root", password)
        self._log = self.folder / "server.log"
        self._server: Guarded | None = None
        try:
            initialise(
                self.program,
                self.folder / "data",
                self._log,
                lambda connection: set_root_password(connection, password),
                self._flags,
            )
            self._start_first()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start the server, on the data and at the port that it had when it stopped."""
        data = self.folder / "data"
        make_ready(data)
        address = listen_flags(self.root.host, self.root.port)
        argv = arguments(self.program, data, *self._flags, *address)
        since = log_size(self._log)
        self._server = Guarded(argv, self._log, [self.folder])
        try:
            wait_until_ready(self._server.process, self.root, self._log, since)
        except BaseException:
            self.stop(Signals.SIGKILL)
            raise

    @property
    def pid(self) -> int:
        """The server's process id, for signals."""
        return self._server.pid if self._server else 0

    @property
    def runs(self) -> bool:
        """Whether the server has not ended."""
        return self._server is not None and self._server.process.poll() is None

    def stop(self, signal: Signals = Signals.SIGTERM) -> None:
        """End the server by `signal`, SIGKILL being a crash; its data stay."""
        if self._server:
            if self.runs:  # else the id may be another's by now
                os.kill(self.pid, signal)
            self._server.wait(STOPPED_WITHIN)

    def freeze(self) -> None:
        """Stop the server as SIGSTOP does, and return once it answers no more."""
        os.kill(self.pid, Signals.SIGSTOP)
        while self.root.answer(timeout=0.2) is Answer.SERVICE:
            pass  # its threads end their turn one by one

    def thaw(self) -> None:
        """Let a frozen server go on."""
        os.kill(self.pid, Signals.SIGCONT)

    def close(self) -> None:
        """End the server and remove its folder."""
        if self._server:
            self._server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_first(self) -> None:
        """Start the server at a free port, or at another if that is taken meanwhile."""
        for tries_left in reversed(range(PORTS)):
            self.root = replace(self.root, port=free_port())
            try:
                self.start()
            except ServerError as error:
                if TAKEN not in str(error) or not tries_left:
                    raise
            else:
                return


def _roomy() -> Path | None:
    """Return the folder in memory if there is one with room, or None for the usual one."""
    try:
        return TMPFS if shutil.disk_usage(TMPFS).free >= ROOM else None
    except OSError:
        return None

"""A server for one test run: fast, in memory where there is room, gone with the run."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from signal import Signals

from harness import guard
from harness.accounts import set_root_password
from harness.datadir import initialise
from harness.login import Answer, Login
from harness.process import free_port
from harness.program import Program, find_program
from harness.server import arguments, fast, forget_crash, tcp, wait_until_ready

TMPFS = Path("/dev/shm")  # noqa: S108 (mkdtemp makes the names)
ROOM = 512 * 1024 * 1024  # bytes that must be free there; containers often have 64 MiB in all
STOPPED_WITHIN = 60.0  # seconds


class RunServer:
    """A server on a free port of 127.0.0.1 that dies with this process, however it dies.

    `program_path` is the server program, by default the first that this machine has;
    `durable` puts the data on disk and flushes each commit, for measurements.
    Raises ServerError where there is none or it does not start.
    """

    def __init__(self, program_path: str = "", *, durable: bool = False) -> None:
        self.program: Program = find_program(program_path)
        self.folder = Path(tempfile.mkdtemp(prefix="harness-", dir=None if durable else _roomy()))
        self._flags = () if durable else fast(self.program)
        # Signs that a URL, a format string, SQL or latin-1 might trip over.
        password = secrets.token_hex(8) + "%s@:/#?'\"\\ é☃"
        self.root = Login("127.0.0.1", free_port(), "root", password)
        self._log = self.folder / "server.log"
        self._guard: subprocess.Popen[bytes] | None = None
        self.pid = 0  # the server's process, for signals
        try:
            initialise(
                self.program,
                self.folder / "data",
                self._log,
                lambda connection: set_root_password(connection, password),
                self._flags,
            )
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start the server, on the data that it had when it stopped."""
        data = self.folder / "data"
        forget_crash(data)
        address = tcp(self.root.host, self.root.port)
        argv = arguments(self.program, data, *self._flags, *address)
        since = self._log.stat().st_size
        with self._log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, str(self.folder), *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the run, which then tears down
            )
        self.pid = int(self._guard.stdout.readline())  # type: ignore[union-attr]  # a PIPE
        wait_until_ready(self._guard, self.root, self._log, since)

    def stop(self, signal: Signals = Signals.SIGTERM) -> None:
        """End the server by `signal`, SIGKILL being a crash; its data stay."""
        if self._guard:
            os.kill(self.pid, signal)
            self._guard.wait(STOPPED_WITHIN)
            # Only now: the end of its input tells a living guard to remove the data.
            self._guard.communicate()

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
        if self._guard and self._guard.poll() is None:
            self._guard.communicate(timeout=STOPPED_WITHIN)  # closes its input
        shutil.rmtree(self.folder, ignore_errors=True)


def _roomy() -> Path | None:
    """Return the folder in memory if there is one with room, or None for the usual one."""
    try:
        return TMPFS if shutil.disk_usage(TMPFS).free >= ROOM else None
    except OSError:
        return None

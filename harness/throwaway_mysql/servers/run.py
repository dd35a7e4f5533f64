"""A server for one test run: fast, in memory where there is room, gone with the run."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from signal import Signals

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import first_statements
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.servers.datadir import STOPPED_WITHIN, flush, socket_flags, socket_login
from throwaway_mysql.servers.guarded import Guarded, guarding
from throwaway_mysql.servers.hold import Hold
from throwaway_mysql.servers.leftovers import BEGIN
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.program import Program, find_program
from throwaway_mysql.servers.server import (
    TAKEN,
    arguments,
    listen_flags,
    log_size,
    make_ready,
    throwaway_flags,
    wait_until_ready,
)
from throwaway_mysql.servers.template import install
from throwaway_mysql.servers.trouble import one_line

TMPFS = Path("/dev/shm")  # noqa: S108 (mkdtemp makes the names)
ROOM = 512 * 1024 * 1024  # bytes that must be free there; containers often have 64 MiB in all
PORTS = 3  # that a first start tries


class RunServer:
    """A server that dies with this process, however it dies.

    `program_path` is the server program, by default the first that this machine has;
    `durable` puts the data on disk and flushes each commit, for measurements; `inside` is
    another folder for the data, and `flags` are more options of the server's. It listens on
    a free port of 127.0.0.1 or, without `tcp`, on a unix socket only. `folder`, if given, is
    one that someone else has claimed, so that the server dies with that one. `password` is
    root's, by default a random one. `copied` tells whether its data came from a template.
    Raises ServerError where there is none or it does not start.
    """

    def __init__(
        self,
        program_path: str = "",
        *,
        durable: bool = False,
        inside: Path | None = None,
        flags: Sequence[str] = (),
        tcp: bool = True,
        folder: Path | None = None,
        password: str = "",
    ) -> None:
        self.program: Program = find_program(program_path)
        self._password = password or secrets.token_urlsafe(16)
        self._flags = (*(() if durable else throwaway_flags(self.program)), *flags)
        self._ending = ExitStack()
        try:
            with one_line():
                self._settle(folder, inside, Path(tempfile.gettempdir()) if durable else None)
                self.copied = install(self.program, self._flags, self._guarded, self._data)
                if durable or inside:
                    flush(self._data)
                self._start_first(tcp=tcp)
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start the server, on the data and at the address that it had when it stopped."""
        make_ready(self._data)
        argv = arguments(self.program, self._data, *self._flags, *self._address)
        since = log_size(self.log)
        self._guarded.start(argv)
        try:
            with one_line():
                wait_until_ready(self._guarded, self.root, self.log, since)
        except BaseException:
            self.stop(Signals.SIGKILL)
            raise

    @property
    def pid(self) -> int:
        """The server's process id, for signals."""
        return self._guarded.pid

    @property
    def runs(self) -> bool:
        """Whether the server has not ended."""
        return self._guarded.poll() is None

    def stop(self, signal: Signals = Signals.SIGTERM) -> None:
        """End the server by `signal`, SIGKILL being a crash; its data stay."""
        self._guarded.signal(signal)
        self._guarded.wait(STOPPED_WITHIN)

    def freeze(self) -> None:
        """Stop the server as SIGSTOP does, and return once it answers no more."""
        self._guarded.signal(Signals.SIGSTOP)
        while self.root.answer(timeout=0.2) is Answer.SERVICE:
            pass  # its threads end their turn one by one

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._guarded.signal(Signals.SIGCONT)

    def close(self) -> None:
        """End the server and remove its folder, or leave it to who has the Hold on that.

        A forked child leaves both to its parent.
        """
        self._ending.close()

    def _settle(self, folder: Path | None, inside: Path | None, place: Path | None) -> None:
        """Get a guarded folder: a new one in `place` unless one is given.

        Inside of `inside` are only the data, so that nothing is open there while no server runs.
        """
        self.folder, hold = (folder, None) if folder else claim(place)
        self.log, self._data = self.folder / "server.log", self.folder / "data"
        if folder:
            self._guarded = Guarded(self.folder, self.log)
            self._ending.callback(self._guarded.let_go)
            return
        self._ending.callback(_remove, self.folder, os.getpid())
        if hold:
            self._ending.callback(hold.close)
        more = []
        if inside:
            more.append(Path(tempfile.mkdtemp(prefix="mysql-", dir=inside)).absolute())
            self._ending.callback(_remove, more[0], os.getpid())
            self._data = more[0] / "data"
        self._guarded = self._ending.enter_context(guarding(self.folder, self.log, more, hold))

    def _start_first(self, *, tcp: bool) -> None:
        """Start the server with a password for its root, which has none before."""
        # Read before the server lets anyone in: MySQL's manual, "How to Reset the Root Password".
        first = self.folder / "first.sql"
        first.touch(mode=0o600)
        first.write_text(first_statements(self._password), encoding="utf-8")
        flags, self._flags = self._flags, (*self._flags, f"--init-file={first}")
        if tcp:
            self._start_at_free_port()
        else:
            self.root = socket_login(self._guarded, self._password)
            self._address = socket_flags(self._guarded)
            self.start()
        self._flags = flags
        first.unlink()

    def _start_at_free_port(self) -> None:
        """Start the server at a free port, or at another if that is taken meanwhile."""
        for tries_left in reversed(range(PORTS)):
            self.root = Login("127.0.0.1", free_port(), "root", self._password)
            self._address = listen_flags(self.root.host, self.root.port)
            try:
                self.start()
            except ServerError as error:
                if TAKEN not in str(error) or not tries_left:
                    raise
            else:
                return


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder, unless this process was forked from the one that owns it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def claim(place: Path | None = None) -> tuple[Path, Hold]:
    """Make a folder for a run, in memory if there is room, which only its user may enter.

    Until the Hold is there a sweep may take it for one that was left: then another is made.
    """
    place = place or roomy() or Path(tempfile.gettempdir())
    while True:
        folder = Path(tempfile.mkdtemp(prefix=BEGIN, dir=place)).absolute()
        with suppress(FileNotFoundError, BlockingIOError):
            return folder, Hold(folder)


def places() -> list[Path]:
    """Return where claim() may have made folders."""
    return [TMPFS, Path(tempfile.gettempdir())]


def roomy() -> Path | None:
    """Return the folder in memory if there is one with room, or None for the usual one."""
    try:
        may = os.access(TMPFS, os.W_OK | os.X_OK)
        return TMPFS if may and shutil.disk_usage(TMPFS).free >= ROOM else None
    except OSError:
        return None

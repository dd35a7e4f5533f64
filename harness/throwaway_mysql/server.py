"""A private server for tests: fast, in memory if there is room, gone with its process."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Self

from throwaway_mysql.datadir import install
from throwaway_mysql.errors import ServerError, one_line
from throwaway_mysql.folder import RunFolder
from throwaway_mysql.grants import first_statements
from throwaway_mysql.login import Login, Socket
from throwaway_mysql.process import (
    arguments,
    log_size,
    make_ready,
    start,
    throwaway_flags,
    wait_until_ready,
)
from throwaway_mysql.program import Program, find_program

STOPPED_WITHIN = 60.0  # seconds


def free_port(*, reserve: bool = False) -> int:
    """Return a free port of 127.0.0.1.

    With `reserve`, the system gives the port to no one else while this process lives, though a
    server can bind it explicitly. Only Linux supports this; elsewhere the port is not reserved.
    """
    with Socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port = int(holder.getsockname()[1])
        if reserve and sys.platform == "linux":
            holder.detach()  # it stays open
    return port


def new_root(folder: Path, *, tcp: bool) -> Login:
    """Return root's account for a new server in a folder, on a free port or a Unix socket."""
    password = secrets.token_urlsafe(16)
    if tcp:
        return Login("127.0.0.1", free_port(reserve=True), "root", password)
    return Login("localhost", 0, "root", password, unix_socket=str(folder / "sock"))


class Server:
    """A server that dies with this process, however that dies.

    `program` is the path of the server program, by default the first one found; `flags` are more
    options for it. The server listens on a free port of 127.0.0.1 and a Unix socket, without `tcp`
    on the socket only. `durable` puts the data on disk and flushes each commit, for measurements.
    With the caller's own `folder`, and `root`, its account, the server outlives this process and
    serves the data in the folder. Raises ServerError if there is no program or it does not start.
    """

    def __init__(
        self,
        program: str = "",
        *,
        flags: Sequence[str] = (),
        tcp: bool = True,
        durable: bool = False,
        folder: Path | None = None,
        root: Login | None = None,
    ) -> None:
        self.program: Program = find_program(program)
        self._flags = (*(() if durable else throwaway_flags(self.program)), *flags)
        self._gives_up_by = SIGTERM if durable else SIGKILL
        self._owner = 0 if folder else os.getpid()  # the process that ends it
        self._process: subprocess.Popen[bytes] | None = None
        self._end = ExitStack()
        self.folder = folder or self._end.enter_context(RunFolder(on_disk=durable)).folder
        self.log, self.data = self.folder / "server.log", self.folder / "data"
        try:
            with one_line("the server cannot be started"):
                self.root = root or new_root(self.folder, tcp=tcp)
                if not self.data.exists():
                    install(self.program, flags, self.folder)
                    if durable:
                        os.sync()
            self.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the server, or restart it with the same data and address."""
        self.stop()
        first = self.folder / "first.sql"
        with one_line("the server cannot be started"):
            make_ready(self.data)
            # New data has root without a password, so the server runs this before it lets anyone
            # in (MySQL's manual, "How to Reset the Root Password").
            first.touch(mode=0o600)
            first.write_text(first_statements(self.root.password), encoding="utf-8")
            flags = (*self._flags, *self._address(), f"--init-file={first}")
            since = log_size(self.log)
            self._process = start(arguments(self.program, self.data, *flags), self.log)
            try:
                wait_until_ready(self._process, self.root, self.log, since)
            except BaseException:
                self.stop(self._gives_up_by)
                raise
            finally:
                first.unlink()

    @property
    def pid(self) -> int:
        """The server's process id, for signals; 0 before its start."""
        return self._process.pid if self._process else 0

    @property
    def runs(self) -> bool:
        """Whether the server is running."""
        return self._process is not None and self._process.poll() is None

    def stop(self, signal: Signals = SIGTERM) -> None:
        """End the server with a signal, as a crash with SIGKILL; its data stays."""
        if self._process and self.runs:
            self._process.send_signal(signal)
            try:
                self._process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                line = f"the server did not end within {STOPPED_WITHIN:.0f} s"
                raise ServerError(line) from None

    def close(self) -> None:
        """End the server and remove its folder, but leave both if the folder is the caller's.

        In a forked child this does nothing to either.
        """
        if self._process and os.getpid() != self._owner:
            self._process.returncode = 0  # it goes on
        elif self._process and self.runs:
            self._process.kill()
            self._process.wait()
        self._end.close()

    def _address(self) -> tuple[str, ...]:
        """Return the flags for where it listens, besides its socket."""
        if self.root.unix_socket:
            return ("--skip-networking",)
        host = "127.0.0.1" if self.root.host == "localhost" else self.root.host
        return f"--bind-address={host}", f"--port={self.root.port}"

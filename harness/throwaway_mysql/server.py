"""A private server for tests: fast, in memory where there is room, gone with its process."""

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

from throwaway_mysql.datadir import flush, install
from throwaway_mysql.errors import ServerError, one_line
from throwaway_mysql.folder import RunFolder
from throwaway_mysql.grants import first_statements
from throwaway_mysql.login import Login, Socket
from throwaway_mysql.process import (
    arguments,
    listen_flags,
    log_size,
    make_ready,
    socket_flags,
    start,
    throwaway_flags,
    wait_until_ready,
)
from throwaway_mysql.program import Program, find_program

STOPPED_WITHIN = 60.0  # seconds


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens at."""
    reserved, port = reserve_port()
    reserved.close()
    return port


def reserve_port() -> tuple[socket.socket, int]:
    """Return a free port of 127.0.0.1, and a socket that holds it until it is closed.

    A server can listen there all the same, but nobody else is given the port by chance. Only
    Linux can do that: elsewhere nothing is held.
    """
    reserved = Socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port = int(reserved.getsockname()[1])
    if sys.platform != "linux":
        reserved.close()
    return reserved, port


class Server:
    """A server that dies with this process, however that dies.

    `program` is the path of the server program, by default the first that this machine has;
    `flags` are more options of the server's. It listens on a free port of 127.0.0.1 (or `port`),
    without `tcp` on a unix socket only. `folder` is one that someone else has claimed: then the
    server dies with that one. `password` is root's, by default a random one. `durable` puts the
    data on disk and flushes each commit, for measurements. `copied` tells whether its data came
    from a template. Raises ServerError where there is none or it does not start.
    """

    def __init__(
        self,
        program: str = "",
        *,
        flags: Sequence[str] = (),
        tcp: bool = True,
        port: int = 0,
        folder: Path | None = None,
        password: str = "",
        durable: bool = False,
    ) -> None:
        self.program: Program = find_program(program)
        self._flags = (*(() if durable else throwaway_flags(self.program)), *flags)
        self._owner = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._end = ExitStack()
        self._is_borrowed = folder is not None
        self.folder = folder or self._end.enter_context(RunFolder(on_disk=durable)).folder
        self.log, self.data = self.folder / "server.log", self.folder / "data"
        try:
            with one_line("cannot start a server for the tests"):
                self.root = self._choose_address(password, port, tcp=tcp)
                self.copied = install(self.program, flags, self.folder)
                if durable:
                    flush(self.data)
                self._start_first()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, *more: str) -> None:
        """Start the server, on the data and at the address that it had when it stopped."""
        self.stop()  # it may have been killed by someone else
        with one_line("the server cannot be started"):
            make_ready(self.data)
            argv = arguments(self.program, self.data, *self._flags, *self._address(), *more)
            since = log_size(self.log)
            self._process = start(argv, self.log)
            try:
                wait_until_ready(self._process, self.root, self.log, since)
                self._refuse_another()
            except BaseException:
                self.stop(SIGKILL)
                raise

    @property
    def pid(self) -> int:
        """The server's process id, for signals; 0 before its start."""
        return self._process.pid if self._process else 0

    @property
    def runs(self) -> bool:
        """Whether the server has not ended."""
        return self._process is not None and self._process.poll() is None

    def stop(self, signal: Signals = SIGTERM) -> None:
        """End the server by `signal`, SIGKILL being a crash; its data stay."""
        if self._process and self.runs:
            self._process.send_signal(signal)
            try:
                self._process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                line = f"the server did not end within {STOPPED_WITHIN:.0f} s"
                raise ServerError(line) from None

    def close(self) -> None:
        """End the server and remove its folder, unless that is someone else's.

        A forked child leaves both to its parent.
        """
        if self._process and (self._is_borrowed or os.getpid() != self._owner):
            self._process.returncode = 0  # it goes on
        elif self._process and self.runs:
            self._process.kill()
            self._process.wait()
        self._end.close()

    def _refuse_another(self) -> None:
        """Raise ServerError where the program, a script, has another process be the server."""
        if int((self.data / "mysqld.pid").read_text()) != self.pid:
            os.killpg(self.pid, SIGKILL)
            raise ServerError(
                f"{self.program.path} runs the server beside itself: begin that with `exec`"
            )

    def _choose_address(self, password: str, port: int, *, tcp: bool) -> Login:
        password = password or secrets.token_urlsafe(16)
        if not tcp:
            unix_socket = str(self.folder / "sock")
            return Login("localhost", 0, "root", password, unix_socket=unix_socket)
        if not port:
            reserved, port = reserve_port()
            self._end.callback(reserved.close)
        return Login("127.0.0.1", port, "root", password)

    def _address(self) -> tuple[str, str]:
        if self.root.unix_socket:
            return socket_flags(Path(self.root.unix_socket))
        return listen_flags(self.root.host, self.root.port)

    def _start_first(self) -> None:
        """Start the server with a password for its root, which has none before."""
        # Read before the server lets anyone in: MySQL's manual, "How to Reset the Root Password".
        first = self.folder / "first.sql"
        first.touch(mode=0o600)
        first.write_text(first_statements(self.root.password), encoding="utf-8")
        self.start(f"--init-file={first}")
        first.unlink()

"""A private server for development: it outlives its starter and keeps its data."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from harness import ServerError
from harness.accounts import set_root_password, set_up
from harness.datadir import initialise
from harness.login import LOOPBACK, Answer, Login, LoginError
from harness.program import Program, find_program
from harness.server import arguments, forget_crash, start, tcp, wait_until_ready

STOPPED_WITHIN = 60.0  # seconds


class PrivateServer:
    """The server of the folder `folder`, at the very address and with the accounts of `user`.

    While it runs it holds a lock on the file `running`, inherited at its start, which ends
    with the process however it ends: a pid file alone may name someone else's process.
    """

    def __init__(self, folder: Path, user: Login, database: str, root_password: str) -> None:
        self.folder, self.user, self.database = folder, user, database
        self.root_password = root_password
        self.data, self.log = folder / "data", folder / "server.log"

    def start(self, program_path: str = "") -> str:
        """Start the server unless one answers; return one line that tells what was done."""
        try:
            self.user.connect(timeout=1).close()
        except LoginError as error:
            if self.user.host not in LOOPBACK:
                raise ServerError(
                    f"{error}; DB_HOST is not this machine, "
                    "and only a private server on 127.0.0.1 can be started"
                ) from None
        else:
            return f"a MySQL server answers at {self.user.address}"
        with self._alone():
            return self._start_alone(program_path)

    def stop(self) -> str:
        """Stop the server and wait until it has ended; return one line that tells."""
        with self._alone():
            if not self._runs():
                return "the private server does not run"
            os.kill(self._pid(), 15)
            deadline = time.monotonic() + STOPPED_WITHIN
            while self._runs():
                if time.monotonic() > deadline:
                    raise ServerError(f"the private server still runs: see {self.log}")
                time.sleep(0.02)
        return "the private server has stopped"

    def status(self) -> tuple[bool, str]:
        """Tell whether a server answers, and in one line which."""
        runs = self._runs()
        try:
            self.user.connect(timeout=2).close()
        except LoginError as error:
            return (
                False,
                f"{error}{'; the private server runs with other settings' if runs else ''}",
            )
        who = f"the private server ({self._made_by()})" if runs else "a server of your own"
        return True, f"{who} answers at {self.user.address}"

    def _start_alone(self, program_path: str) -> str:
        answer = self.user.answer()
        if answer is Answer.SERVICE:  # another starter was quicker
            return f"a MySQL server answers at {self.user.address}"
        if self._runs():
            raise ServerError(
                f"the private server runs, but not for {self.user.user} at {self.user.address}: "
                "were the settings changed? Run `quart mysql setup` for another account, or "
                "`quart mysql stop` before another port"
            )
        if answer is Answer.REFUSAL:
            raise ServerError(
                f"a MySQL server at {self.user.address} refuses {self.user.user}: "
                "run `quart mysql setup`, correct DB_PASSWORD, or set another DB_PORT"
            )
        if answer is Answer.STRANGER:
            raise ServerError(
                f"{self.user.address} is taken by something that is not a MySQL server: "
                "stop it, or set another DB_PORT"
            )
        program = find_program(program_path)
        if self.data.exists():
            self._check_version(program)
        else:
            self._initialise(program)
        self._launch(program)
        return f"a private {program} answers at {self.user.address}, its data in {self.folder}"

    def _initialise(self, program: Program) -> None:
        # Made beside and then renamed: a start that is cut short leaves no half of a folder.
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)

        def prepare(connection: "Connection[Cursor]") -> None:
            set_up(connection, self.database, self.user.user, self.user.password)
            set_root_password(connection, self.root_password)

        try:
            initialise(program, unfinished, self.log, prepare)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        (unfinished / "made-by").write_text(str(program))
        unfinished.rename(self.data)

    def _launch(self, program: Program) -> None:
        forget_crash(self.data)
        argv = arguments(program, self.data, *tcp(self.user.host, self.user.port))
        since = self.log.stat().st_size if self.log.exists() else 0
        with (self.folder / "running").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = start(argv, self.log, pass_fds=[lock.fileno()])
            try:
                wait_until_ready(process, self.user, self.log, since)
            except BaseException:
                process.terminate()
                process.wait(STOPPED_WITHIN)
                raise
        process.returncode = 0  # it is meant to outlive us
        (self.data / "made-by").write_text(str(program))

    def _check_version(self, program: Program) -> None:
        made_by = self._made_by()
        family, _, version = made_by.partition(" ")
        newer = tuple(map(int, version.split("."))) > program.version
        if family != program.family or newer:
            raise ServerError(
                f"the data in {self.data} was made by {made_by}, which {program} cannot read: "
                f"set MYSQLD to such a program, or move {self.folder} away to begin anew"
            )

    def _made_by(self) -> str:
        return (self.data / "made-by").read_text()

    def _pid(self) -> int:
        return int((self.data / "mysqld.pid").read_text())

    def _runs(self) -> bool:
        path = self.folder / "running"
        if not path.exists():
            return False
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one starter or stopper work at a time; the others wait."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with (self.folder / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ServerError(
                f"the folder {self.folder} cannot be used: {error.strerror}"
            ) from None

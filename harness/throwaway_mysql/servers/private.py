"""A private server for development: it outlives its starter and keeps its data."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from typing import NamedTuple

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import set_root_password, set_up
from throwaway_mysql.login import LOOPBACK, Answer, Login, LoginError
from throwaway_mysql.servers import leftovers
from throwaway_mysql.servers.datadir import initialise
from throwaway_mysql.servers.guarded import guarding
from throwaway_mysql.servers.program import Program, find_program
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


class Names(NamedTuple):
    """What whoever starts the server calls its settings; messages say what to set."""

    host: str = "--host"
    port: str = "--port"
    password: str = "MYSQL_PWD"  # noqa: S105 (its name)
    root_password: str = "MYSQL_PWD"  # noqa: S105 (its name)
    program: str = "--program"
    stop: str = "throwaway-mysql server stop"
    setup: str = ""  # a command that makes the account on a server that runs


OPTIONS = Names()  # of `throwaway-mysql server`


class PrivateServer:
    """The server of the folder `folder`, at the address of `user` and with that account.

    `user` names a database, which is made with the account. While the server runs it holds
    a lock on the file `running`, inherited at its start, which ends with the process however
    that ends: a pid file alone may name someone else's process. The file has its address.
    """

    def __init__(
        self, folder: Path, user: Login, root_password: str, names: Names = OPTIONS
    ) -> None:
        folder = folder.absolute()  # a server program takes relative paths from elsewhere
        self.folder, self.user, self.names = folder, user, names
        self.root = replace(user, user="root", password=root_password, database=None)
        self.data, self.log = folder / "data", folder / "server.log"
        self.running = folder / "running"

    def start(self, program_path: str = "") -> str:
        """Start the server unless one answers; return one line that tells what was done."""
        try:
            return self._answering()
        except LoginError as error:
            if self.user.host not in LOOPBACK:
                raise ServerError(
                    f"{error}; {self.names.host} is not this machine, "
                    "and only a private server on 127.0.0.1 can be started"
                ) from None
        with self._alone():
            return self._start_alone(program_path)

    def stop(self) -> str:
        """Stop the server and wait until it has ended; return one line that tells."""
        with self._alone():
            if not self._runs():
                return "the private server does not run"
            os.kill(self._pid(), SIGTERM)
            deadline = time.monotonic() + SETTLED_WITHIN
            while self._runs():
                if time.monotonic() > deadline:
                    raise ServerError(f"the private server still runs: see {self.log}")
                time.sleep(POLL)
        return "the private server has stopped"

    def status(self) -> tuple[bool, str]:
        """Tell whether a server answers, and in one line which."""
        with self._usable():
            also = self._runs_otherwise() if self._runs() else ""
            try:
                with self.user.connect(timeout=2) as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT @@datadir")
                    ((data,),) = cursor.fetchall()
            except LoginError as error:
                return False, f"{error}{also}"
            if Path(data).resolve() == self.data.resolve():
                return (
                    True,
                    f"the private server ({self._made_by()}) answers at {self.user.address}",
                )
            return True, f"a server of your own answers at {self.user.address}{also}"

    def _runs_otherwise(self) -> str:
        """Say of the private server, which runs, in what it differs from the settings."""
        address = self.running.read_text()
        if address in ("", self.user.address):  # "" where it has only begun
            return "; the private server runs with other settings"
        return f"; the private server runs at {address}"

    def _start_alone(self, program_path: str) -> str:
        met = self._met()
        if isinstance(met, str):  # another starter was quicker
            return met
        if met.answer is Answer.STRANGER:
            raise ServerError(
                f"{self.user.address} is taken by something that is not a MySQL server: "
                f"stop it, or set another {self.names.port}"
            )
        if met.answer is Answer.FULL:
            raise ServerError(str(met))
        if self._runs():
            if met.answer is Answer.NOTHING:
                raise ServerError(
                    f"the private server runs, but not at {self.user.address}: "
                    f"run `{self.names.stop}`, or restore {self.names.port}"
                )
            self._let_in()
            return f"the private server at {self.user.address} now lets in {self.user.user}"
        if met.answer is Answer.REFUSAL:
            first = f"run `{self.names.setup}`, " if self.names.setup else ""
            raise ServerError(
                f"{met}; {first}correct {self.names.password}, or set another {self.names.port}"
            )
        program = find_program(program_path)
        if self.data.exists():
            self._check_version(program)
        else:
            self._initialise(program)
        self._launch(program)
        return f"a private {program} answers at {self.user.address}, its data in {self.folder}"

    def _answering(self) -> str:
        """Log in, and return one line that tells what answers."""
        with self.user.connect(timeout=1) as connection:
            version = connection.get_server_info()  # type: ignore[no-untyped-call]  # the stubs lack it
        family = "MariaDB" if "MariaDB" in version else "MySQL"
        return f"a {family} server answers at {self.user.address}"

    def _met(self) -> LoginError | str:
        """Try to log in; a private server that still starts, or was just killed, is awaited."""
        deadline = time.monotonic() + SETTLED_WITHIN
        while True:
            ours = self._runs() and self.running.read_text() == self.user.address
            try:
                return self._answering()
            except LoginError as error:
                if not ours or error.answer in (Answer.REFUSAL, Answer.FULL):
                    return error
            if time.monotonic() > deadline:
                raise ServerError(f"the private server does not answer: see {self.log}")
            time.sleep(POLL)

    def _initialise(self, program: Program) -> None:
        def prepare(connection: "Connection[Cursor]") -> None:
            self._set_up(connection)
            set_root_password(connection, self.root.password)

        # Made beside and then renamed: a start that is cut short leaves no half of a folder.
        leftovers.sweep([self.folder], UNFINISHED)
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.folder))
        with guarding(unfinished, self.log) as guarded:
            initialise(guarded, program, unfinished / "data", prepare)
            (unfinished / "data/made-by").write_text(str(program))
            (unfinished / "data").rename(self.data)

    def _launch(self, program: Program) -> None:
        make_ready(self.data)
        argv = arguments(program, self.data, *listen_flags(self.user.host, self.user.port))
        since = log_size(self.log)
        with self.running.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.running.write_text(self.user.address)
            process = start(argv, self.log, pass_fds=[lock.fileno()])
            try:
                # The settings may name another account than when it was made.
                ready = (Answer.SERVICE, Answer.REFUSAL)
                wait_until_ready(process, self.user, self.log, since, ready)
            except BaseException:
                process.terminate()
                process.wait(SETTLED_WITHIN)
                raise
        process.returncode = 0  # it is meant to outlive us
        if self._made_by() != str(program):  # a newer one, which has upgraded the data
            newer = self.data / "made-by.new"
            newer.write_text(str(program))
            newer.replace(self.data / "made-by")
        if self.user.answer() is Answer.REFUSAL:  # the settings have changed since
            self._let_in()

    def _let_in(self) -> None:
        """Make the account and the database that the settings now name."""
        try:
            with self.root.connect() as connection:
                self._set_up(connection)
            self.user.connect().close()
        except LoginError as error:
            raise ServerError(
                f"the private server was made with other settings: {error}; "
                f"restore {self.names.root_password}, or stop it and move {self.folder} away"
            ) from None

    def _set_up(self, connection: "Connection[Cursor]") -> None:
        set_up(connection, self.user.database or "", self.user.user, self.user.password)

    def _check_version(self, program: Program) -> None:
        made_by = self._made_by()
        family, _, version = made_by.partition(" ")
        try:
            newer = tuple(map(int, version.split("."))) > program.version
        except ValueError:
            raise ServerError(f"{self.data}/made-by does not name a version: '{made_by}'") from None
        if family != program.family or newer:
            raise ServerError(
                f"the data in {self.data} was made by {made_by}, which {program} cannot read: "
                f"set {self.names.program} to such a program, or move {self.folder} away to "
                "begin anew"
            )

    def _made_by(self) -> str:
        return (self.data / "made-by").read_text()

    def _pid(self) -> int:
        try:
            return int((self.data / "mysqld.pid").read_text())
        except (OSError, ValueError):
            raise ServerError(f"the private server has no process id in {self.data}") from None

    def _runs(self) -> bool:
        if not self.running.exists():
            return False
        with self.running.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one starter or stopper work at a time; the others wait."""
        with self._usable():
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with (self.folder / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = error.filename or self.folder
            raise ServerError(f"cannot use {where}: {error.strerror}") from None

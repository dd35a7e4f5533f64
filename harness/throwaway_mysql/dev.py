"""The server of development: it outlives its starter, and keeps its data in a folder."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from typing import TYPE_CHECKING, NamedTuple

from throwaway_mysql.datadir import copy, flush
from throwaway_mysql.errors import ServerError, one_line
from throwaway_mysql.grants import set_up
from throwaway_mysql.guard import now
from throwaway_mysql.login import LOOPBACK, Answer, Login, LoginError
from throwaway_mysql.process import (
    arguments,
    listen_flags,
    log_size,
    make_ready,
    start,
    wait_until_ready,
)
from throwaway_mysql.program import Program, find_program
from throwaway_mysql.server import Server

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

PATIENT = 10.0  # seconds for each step of a login: what listens may be slow to greet
SETTLED_WITHIN = 60.0  # seconds
POLL = 0.02
UNFINISHED = ".throwaway-mysql-unfinished"  # a name that nothing of a person's has
OWN = {"data", "lock", "running", "server.log", "tmp", UNFINISHED}


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


class DevServer:
    """The server of the folder `folder`, at the address of `user` and with that account.

    The folder is new or empty at the first start. `user` names a database, which is made with
    the account. While the server runs it holds a lock on the file `running`, inherited at its
    start, which ends with the process however that ends: a pid file alone may name someone
    else's process. The file has its address.
    """

    def __init__(
        self, folder: Path, user: Login, root_password: str, names: Names = OPTIONS
    ) -> None:
        self.folder = folder.absolute()  # a server program takes relative paths from elsewhere
        self.data, self.log = self.folder / "data", self.folder / "server.log"
        self._running = self.folder / "running"
        self.user, self.names = user, names
        self.root = replace(user, user="root", password=root_password, database=None)

    def start(self, program: str = "") -> str:
        """Start the server unless one answers; return one line that tells what was done."""
        try:
            return self._line_of(self.user.connect(PATIENT))
        except LoginError as error:
            if self.user.host not in LOOPBACK:
                raise ServerError(
                    f"{error}; {self.names.host} is not this machine, "
                    "and only a private server on 127.0.0.1 can be started"
                ) from None
        with self._alone():
            return self._start_alone(program)

    def stop(self) -> str:
        """Stop the server and wait until it has ended; return one line that tells."""
        with self._alone():
            if not self.runs():
                return "the private server is not running"
            os.kill(self._pid(), SIGTERM)
            deadline = now() + SETTLED_WITHIN
            while self.runs():
                if now() > deadline:
                    raise ServerError(f"the private server is still running: see {self.log}")
                time.sleep(POLL)
        return "the private server has stopped"

    def status(self) -> tuple[bool, str]:
        """Tell whether a server answers, and in one line which."""
        with one_line(f"cannot use {self.folder}"):
            also = self._difference() if self.runs() else ""
            try:
                with self.user.connect(PATIENT) as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT @@datadir")
                    ((data,),) = cursor.fetchall()
            except LoginError as error:
                return False, f"{error}{also}"
            if Path(data).resolve() == self.data.resolve():
                made_by = self._made_by()
                return True, f"the private server ({made_by}) answers at {self.user.address}"
            return True, f"a server of your own answers at {self.user.address}{also}"

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

    def _start_alone(self, program_path: str) -> str:
        error = self._try_login()
        if isinstance(error, str):  # another starter was quicker
            return error
        self._refuse(error)
        if self.runs():
            self._let_in()
            return f"the private server at {self.user.address} now accepts {self.user.user}"
        program = find_program(program_path)
        if self.data.exists():
            self._check_version(program)
        else:
            self._make(program)
        self._launch(program)
        if self.user.answer(PATIENT) is Answer.REFUSAL:  # the settings have changed since
            self._let_in()
        return f"a private {program} answers at {self.user.address}, its data in {self.folder}"

    def _make(self, program: Program) -> None:
        """Make the data by another server, whose folder goes with this process.

        Raises ServerError where the folder has anything else: a person's file may have one of
        the names that are written here.
        """
        for path in self.folder.iterdir():
            if path.name not in OWN:
                raise ServerError(
                    f"{self.folder} has {path.name} in it, which is not a server's: move it away, "
                    "or name a new folder"
                )
        unfinished = self.folder / UNFINISHED  # so that a start that is killed leaves no half
        if unfinished.exists():
            shutil.rmtree(unfinished)
        with Server(str(program.path), tcp=False, password=self.root.password) as server:
            with server.root.connect() as connection:
                self._set_up(connection)
            server.stop()
            copy(server.data, unfinished)
        (unfinished / "made-by").write_text(str(program))
        flush(unfinished)
        unfinished.rename(self.data)

    def _launch(self, program: Program) -> None:
        """Start the server on the data, and return once it answers `user`, if by a refusal."""
        make_ready(self.data)
        argv = arguments(program, self.data, *listen_flags(self.user.host, self.user.port))
        since = log_size(self.log)
        with self._running.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._running.write_text(self.user.address)
            process = start(argv, self.log, pass_fds=[lock.fileno()])
            try:
                # The settings may name another account than when it was made.
                ready = (Answer.SERVICE, Answer.REFUSAL)
                wait_until_ready(process, self.user, self.log, since, ready)
            except BaseException as error:
                process.terminate()
                process.wait(SETTLED_WITHIN)
                if isinstance(error, ServerError):
                    raise ServerError(f"{error} ({self.log})") from None
                raise
        process.returncode = 0  # it is meant to outlive us
        if self._made_by() != str(program):  # a newer one, which has upgraded the data
            newer = self.data / "made-by.new"
            newer.write_text(str(program))
            newer.replace(self.data / "made-by")

    def _refuse(self, error: LoginError) -> None:
        """Raise ServerError where, by what a login got, no server can be started there."""
        names, address = self.names, self.user.address
        first = f"run `{names.setup}`, " if names.setup else ""
        reasons = {Answer.FULL: str(error), Answer.UNABLE: str(error)}
        reasons[Answer.STRANGER] = (
            f"{address} is taken by something that is not a MySQL server: stop it, "
            f"or set another {names.port}"
        )
        if self.runs():
            reasons[Answer.NOTHING] = (
                f"the private server is running, but not at {address}: run `{names.stop}`, "
                f"or restore {names.port}"
            )
        else:
            reasons[Answer.REFUSAL] = (
                f"{error}; {first}correct {names.password}, or set another {names.port}"
            )
        if error.answer in reasons:
            raise ServerError(reasons[error.answer])

    def _try_login(self) -> LoginError | str:
        """Log in; a private server that still starts, or was just killed, is awaited."""
        deadline = now() + SETTLED_WITHIN
        while True:
            ours = self.runs() and self._running.read_text() == self.user.address
            try:
                return self._line_of(self.user.connect(PATIENT))
            except LoginError as error:
                if not ours or error.answer in (Answer.REFUSAL, Answer.FULL, Answer.UNABLE):
                    return error
            if now() > deadline:
                raise ServerError(f"the private server does not answer: see {self.log}")
            time.sleep(POLL)

    def _line_of(self, connection: "Connection[Cursor]") -> str:
        """Close a connection, and return one line that tells what answers."""
        with connection:
            version = connection.get_server_info()  # type: ignore[no-untyped-call]  # the stubs lack it
        family = "MariaDB" if "MariaDB" in version else "MySQL"
        return f"a {family} server answers at {self.user.address}"

    def _difference(self) -> str:
        """Say in what the private server, which runs, differs from the settings."""
        address = self._running.read_text()
        if address in ("", self.user.address):
            return "; the private server is running with other settings"
        return f"; the private server is running at {address}"

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
        """Return the program that made or upgraded the data, such as `MariaDB 10.11.6`."""
        return (self.data / "made-by").read_text()

    def _pid(self) -> int:
        try:
            return int((self.data / "mysqld.pid").read_text())
        except (OSError, ValueError):
            raise ServerError(f"the private server has no process id in {self.data}") from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one starter or stopper work at a time; the others wait."""
        with one_line(f"cannot use {self.folder}"):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with (self.folder / "lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

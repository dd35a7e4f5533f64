"""The development server: it outlives the process that starts it, and keeps its data.

Only this project's `quart mysql` uses it, so messages name that and the project's settings.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM

from throwaway_mysql import guard
from throwaway_mysql.errors import ServerError, one_line
from throwaway_mysql.folder import alone
from throwaway_mysql.grants import set_up
from throwaway_mysql.guard import now
from throwaway_mysql.login import LOOPBACK, Answer, Login, LoginError
from throwaway_mysql.program import find_program
from throwaway_mysql.server import Server

PATIENT = 10.0  # seconds for each step of a login: a server may be slow to greet
STOPPED_WITHIN = 60.0  # seconds
POLL = 0.02
DIFFERS = (
    "; the private server is running, but not with these settings: "
    "run `quart mysql stop`, or restore them"
)
ADVICE = {
    Answer.STRANGER: "; stop that, or set another DB_PORT",
    Answer.REFUSAL: "; run `quart mysql setup`, correct DB_PASSWORD, or set another DB_PORT",
}


class DevServer:
    """The server with its data in `folder`, at the address of `user`, which may log in there.

    `user` names a database. Each start creates that and the account if they are missing, and sets
    the current passwords of the account and of root.
    """

    def __init__(self, folder: Path, user: Login, root_password: str) -> None:
        self.folder = folder.resolve()  # as the server's command line has it
        self.data, self.log = self.folder / "data", self.folder / "server.log"
        self.user = user
        password = root_password or secrets.token_urlsafe(16)
        self.root = Login(user.host, user.port, "root", password)

    def start(self, program: str = "") -> str:
        """Start the server unless one answers; return one line that says which answers."""
        try:
            return self._answering()
        except LoginError as error:
            if self.user.host not in LOOPBACK:
                raise ServerError(
                    f"{error}; DB_HOST is not this machine, "
                    "and only a private server on 127.0.0.1 can be started"
                ) from None
        with self._alone():
            return self._start_alone(program)

    def stop(self) -> str:
        """Stop the server and wait until it has ended; return one line that says so."""
        with self._alone():
            if not self._pids():
                return "the private server is not running"
            for pid in self._pids():
                os.kill(pid, SIGTERM)
            deadline = now() + STOPPED_WITHIN
            while self._pids():
                if now() > deadline:
                    raise ServerError(f"the private server is still running: see {self.log}")
                time.sleep(POLL)
        return "the private server has stopped"

    def status(self) -> tuple[bool, str]:
        """Return whether a server answers, and one line that says which or why not."""
        try:
            return True, self._answering()
        except LoginError as error:
            return False, self._explain(error)

    def _start_alone(self, program: str) -> str:
        try:
            return self._answering()  # another starter was quicker
        except LoginError as error:
            if self._pids() or error.answer is not Answer.NOTHING:
                raise ServerError(self._explain(error)) from None
        self._check_family(program)
        try:
            server = Server(program, durable=True, folder=self.folder, root=self.root)
        except ServerError as error:
            raise ServerError(f"{error} ({self.log})") from None
        server.close()  # the server itself goes on
        with self.root.connect() as connection:
            set_up(connection, self.user.database or "", self.user.user, self.user.password)
        return f"{self._answering()}, its data in {self.folder}"

    def _answering(self) -> str:
        """Return one line that says which server answers. Raises LoginError."""
        with self.user.connect(PATIENT) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@version, @@datadir")
            ((version, data),) = cursor.fetchall()
        whose = "the private" if Path(data).resolve() == self.data else "a"
        family = "MariaDB" if "MariaDB" in version else "MySQL"
        return f"{whose} {family} server answers at {self.user.address}"

    def _explain(self, error: LoginError) -> str:
        """Say why no server answers, and what to do."""
        if self._pids() and error.answer in (Answer.NOTHING, Answer.REFUSAL):
            return f"{error}{DIFFERS}"
        return f"{error}{ADVICE.get(error.answer, '')}"

    def _check_family(self, path: str) -> None:
        """Refuse a program that would damage the data."""
        program = find_program(path)
        family = "MariaDB" if (self.data / "aria_log_control").exists() else "MySQL"
        if self.data.exists() and program.family != family:
            raise ServerError(
                f"the data in {self.data} was made by {family}, and {program} cannot read it: set "
                f"MYSQLD to such a program, or move {self.folder} away to begin anew"
            )

    def _pids(self) -> list[int]:
        """Return the server's process id, or that of the process that makes its data."""
        return guard.servers(str(self.folder))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with one_line(f"cannot use {self.folder}"):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with alone(self.folder):
                yield

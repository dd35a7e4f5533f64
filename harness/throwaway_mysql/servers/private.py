"""The server of development: a private one, unless another answers at its address."""

import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import set_root_password, set_up
from throwaway_mysql.login import LOOPBACK, Answer, Login, LoginError
from throwaway_mysql.servers.lasting import POLL, SETTLED_WITHIN, Lasting
from throwaway_mysql.servers.program import Program, find_program

QUICK, PATIENT = 2.0, 10.0  # seconds for each step of a login; the latter where something listens


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

    `user` names a database, which is made with the account.
    """

    def __init__(
        self, folder: Path, user: Login, root_password: str, names: Names = OPTIONS
    ) -> None:
        self._own = Lasting(folder)
        self.folder, self.user, self.names = self._own.folder, user, names
        self.root = replace(user, user="root", password=root_password, database=None)

    def start(self, program_path: str = "") -> str:
        """Start the server unless one answers; return one line that tells what was done."""
        try:
            return self._answering(self.user.connect(QUICK))
        except LoginError as error:
            if self.user.host not in LOOPBACK:
                raise ServerError(
                    f"{error}; {self.names.host} is not this machine, "
                    "and only a private server on 127.0.0.1 can be started"
                ) from None
        with self._own.alone():
            return self._start_alone(program_path)

    def stop(self) -> str:
        """Stop the server and wait until it has ended; return one line that tells."""
        with self._own.alone():
            if not self._own.runs():
                return "the private server does not run"
            self._own.stop()
        return "the private server has stopped"

    def status(self) -> tuple[bool, str]:
        """Tell whether a server answers, and in one line which."""
        with self._own.usable():
            also = self._runs_otherwise() if self._own.runs() else ""
            try:
                with self._connect() as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT @@datadir")
                    ((data,),) = cursor.fetchall()
            except LoginError as error:
                return False, f"{error}{also}"
            if Path(data).resolve() == self._own.data.resolve():
                made_by = self._own.made_by()
                return True, f"the private server ({made_by}) answers at {self.user.address}"
            return True, f"a server of your own answers at {self.user.address}{also}"

    def _runs_otherwise(self) -> str:
        """Say of the private server, which runs, in what it differs from the settings."""
        address = self._own.address()
        if address in ("", self.user.address):
            return "; the private server runs with other settings"
        return f"; the private server runs at {address}"

    def _start_alone(self, program_path: str) -> str:
        met = self._met()
        if isinstance(met, str):  # another starter was quicker
            return met
        self._refuse(met)
        if self._own.runs():
            self._let_in()
            return f"the private server at {self.user.address} now lets in {self.user.user}"
        program = find_program(program_path)
        if self._own.data.exists():
            self._check_version(program)
        else:
            self._own.make(program, self._prepare)
        self._own.launch(program, self.user)
        if self.user.answer(PATIENT) is Answer.REFUSAL:  # the settings have changed since
            self._let_in()
        return f"a private {program} answers at {self.user.address}, its data in {self.folder}"

    def _refuse(self, met: LoginError) -> None:
        """Raise ServerError where, by what a login has met, no server can be started there."""
        runs, port = self._own.runs(), self.names.port
        if met.answer is Answer.STRANGER:
            raise ServerError(
                f"{self.user.address} is taken by something that is not a MySQL server: "
                f"stop it, or set another {port}"
            )
        if met.answer in (Answer.FULL, Answer.UNABLE):
            raise ServerError(str(met))
        if met.answer is Answer.NOTHING and runs:
            raise ServerError(
                f"the private server runs, but not at {self.user.address}: "
                f"run `{self.names.stop}`, or restore {port}"
            )
        if met.answer is Answer.REFUSAL and not runs:
            first = f"run `{self.names.setup}`, " if self.names.setup else ""
            raise ServerError(f"{met}; {first}correct {self.names.password}, or set another {port}")

    def _connect(self) -> "Connection[Cursor]":
        """Log in; what listens, but is slow to greet, is given time."""
        try:
            return self.user.connect(QUICK)
        except LoginError as error:
            if error.answer is not Answer.STRANGER:
                raise
        return self.user.connect(PATIENT)

    def _answering(self, connection: "Connection[Cursor]") -> str:
        """Close a connection, and return one line that tells what answers."""
        with connection:
            version = connection.get_server_info()  # type: ignore[no-untyped-call]  # the stubs lack it
        family = "MariaDB" if "MariaDB" in version else "MySQL"
        return f"a {family} server answers at {self.user.address}"

    def _met(self) -> LoginError | str:
        """Try to log in; a private server that still starts, or was just killed, is awaited."""
        deadline = time.monotonic() + SETTLED_WITHIN
        while True:
            ours = self._own.runs() and self._own.address() == self.user.address
            try:
                return self._answering(self._connect())
            except LoginError as error:
                if not ours or error.answer in (Answer.REFUSAL, Answer.FULL, Answer.UNABLE):
                    return error
            if time.monotonic() > deadline:
                raise ServerError(f"the private server does not answer: see {self._own.log}")
            time.sleep(POLL)

    def _prepare(self, connection: "Connection[Cursor]") -> None:
        self._set_up(connection)
        set_root_password(connection, self.root.password)

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
        data, made_by = self._own.data, self._own.made_by()
        family, _, version = made_by.partition(" ")
        try:
            newer = tuple(map(int, version.split("."))) > program.version
        except ValueError:
            raise ServerError(f"{data}/made-by does not name a version: '{made_by}'") from None
        if family != program.family or newer:
            raise ServerError(
                f"the data in {data} was made by {made_by}, which {program} cannot read: "
                f"set {self.names.program} to such a program, or move {self.folder} away to "
                "begin anew"
            )

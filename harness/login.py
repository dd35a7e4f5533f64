"""An address of a MySQL server with the account to use there."""

import socket
from dataclasses import dataclass, field
from enum import Enum, auto
from urllib.parse import quote

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from harness import ServerError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Answer(Enum):
    """What a login attempt met."""

    NOTHING = auto()  # no one listens there
    STRANGER = auto()  # someone does, who does not speak MySQL
    REFUSAL = auto()  # a MySQL server that lets this account not in
    SERVICE = auto()  # a MySQL server that answers queries


class LoginError(ServerError):
    """A login failed: `answer` tells how."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


@dataclass(frozen=True)
class Login:
    """Where a server is and who logs in; its repr keeps the password to itself."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    unix_socket: str | None = None

    @property
    def address(self) -> str:
        """`host:port`, as messages name the server."""
        return f"{self.host}:{self.port}"

    def url(self, driver: str = "mysql+pymysql") -> str:
        """Return SQLAlchemy's URL of the server, without a database, with the password."""
        # The drivers send a password in latin-1, the servers expect UTF-8: see connect().
        password = self.password.encode().decode("latin-1")
        user, password = (quote(text, safe="") for text in (self.user, password))
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{driver}://{user}:{password}@{host}:{self.port}"

    def connect(self, timeout: float = 30) -> "Connection[Cursor]":
        """Return an autocommitting connection; no step takes longer than `timeout` seconds.

        Raises LoginError, without the driver's own error: its frames hold the password.
        """
        try:
            return pymysql.connect(
                host=self.host,
                port=self.port,
                user=self.user,
                password=self.password.encode(),  # as a str it would be sent in latin-1
                unix_socket=self.unix_socket,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=timeout,
                read_timeout=timeout,
                write_timeout=timeout,
                ssl_disabled=self.host in LOOPBACK,
            )
        except (pymysql.MySQLError, OSError, EOFError) as error:
            failure = error
        raise LoginError(*self._explain(failure)) from None

    def answer(self, timeout: float = 2) -> Answer:
        """Try to log in and tell what was met within `timeout` seconds."""
        try:
            self.connect(timeout).close()
        except LoginError as error:
            return error.answer
        return Answer.SERVICE

    def _explain(self, error: Exception) -> tuple[str, Answer]:
        code = error.args[0] if error.args else 0
        # Below 2000 the code is the server's own: there is one, and it said no.
        if isinstance(error, pymysql.MySQLError) and isinstance(code, int) and 1000 <= code < 2000:
            return (
                f"the server at {self.address} refused {self.user}: {error.args[1]}",
                Answer.REFUSAL,
            )
        if not self._listens():
            return f"no server answers at {self.address}", Answer.NOTHING
        return f"what listens at {self.address} does not answer as a MySQL server", Answer.STRANGER

    def _listens(self) -> bool:
        if self.unix_socket:
            return False
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True

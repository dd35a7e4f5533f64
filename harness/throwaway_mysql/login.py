"""An address of a MySQL server with the account to use there."""

import re
import socket
import ssl
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING
from urllib.parse import quote

from throwaway_mysql import ServerError
from throwaway_mysql.masked import Hidden
from throwaway_mysql.tls import Tls

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TOO_MANY_CONNECTIONS = 1040
NO_TLS = 2026  # though it was asked for
MOST_PORT = 65535
DRIVERS = (  # that SQLAlchemy knows for MySQL and MariaDB
    *("pymysql", "aiomysql", "asyncmy", "mysqldb"),
    *("mysqlconnector", "mariadbconnector", "pyodbc", "cymysql"),
)
LATIN = ("pymysql", "aiomysql", "asyncmy")  # drivers that encode a password as latin-1


class Answer(Enum):
    """What a login attempt met."""

    NOTHING = auto()  # no one listens there
    STRANGER = auto()  # someone does, who does not speak MySQL
    REFUSAL = auto()  # a MySQL server that lets this account not in
    FULL = auto()  # a MySQL server that has no connection left
    UNABLE = auto()  # a MySQL server whose login this environment lacks something for
    SERVICE = auto()  # a MySQL server that answers queries


class LoginError(ServerError):
    """A login failed: `answer` tells how."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


@dataclass(frozen=True)
class Login:
    """Where a server is and who logs in; no repr of it or its password shows the password.

    The port may be given as text, as in the environment. Raises ServerError where one of the
    first four is nothing that it can be.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    unix_socket: str | None = None
    database: str | None = None  # without which the login is refused
    init_command: str | None = None  # what each session begins with, such as SET sql_mode
    tls: Tls | None = None  # by default off on this machine, else as the server has it

    def __post_init__(self) -> None:
        for name in ("host", "user", "password"):
            if not isinstance(getattr(self, name), str):
                raise ServerError(_no_text(name, getattr(self, name)))
        port = str(self.port)
        if not re.fullmatch("[0-9]{1,5}", port) or int(port) > MOST_PORT:
            raise ServerError(
                f"a Login's port is {self.port!r}: it must be a number from 0 to {MOST_PORT}"
            )
        object.__setattr__(self, "port", int(port))  # the class is frozen
        object.__setattr__(self, "password", Hidden(self.password))

    @property
    def address(self) -> str:
        """`host:port` or the socket's path, as messages name the server."""
        return self.unix_socket or f"{self.host}:{self.port}"

    @property
    def encryption(self) -> Tls:
        """Return `tls`, or its default."""
        return self.tls or Tls("off" if self.unix_socket or self.host in LOOPBACK else "preferred")

    def url(
        self, driver: str = "mysql+pymysql", database: str = "", *, password: bool = True
    ) -> str:
        """Return the URL of the server or of a database there, with the password or without.

        With `mysql` it is one for any client, with a driver, such as `pymysql` or
        `mysql+pymysql`, SQLAlchemy's. Raises ServerError where `driver` is neither.
        """
        scheme = _scheme(driver)
        # The servers hash the UTF-8 of a password: drivers of LATIN have to come to that, too.
        latin = scheme.partition("+")[2] in LATIN
        secret = self.password.encode().decode("latin-1") if latin else self.password
        user, secret, name = (quote(text, safe="") for text in (self.user, secret, database))
        account = f"{user}:{secret}" if password else user
        host = f"[{self.host}]" if ":" in self.host else self.host
        place = host if self.unix_socket else f"{host}:{self.port}"
        query = [f"unix_socket={quote(self.unix_socket)}"] if self.unix_socket else []
        query += ["charset=utf8mb4"] if database else []
        tls = self.encryption.query(scheme.partition("+")[2])
        query += [f"{name}={quote(value, safe='')}" for name, value in tls.items()]
        path = f"/{name}" if query else ""
        address = f"{place}{path}{'?' if query else ''}{'&'.join(query)}"
        return Hidden(f"{scheme}://{account}@{address}")

    def connect(self, timeout: float = 30, client_flag: int = 0) -> "Connection[Cursor]":
        """Return an autocommitting connection; no step takes longer than `timeout` seconds.

        Raises LoginError, without the driver's own error: its frames hold the password.
        """
        import pymysql  # only now: it takes long, and a project's conftest.py may need a Login

        try:
            link = self._link(timeout)
        except OSError:
            raise LoginError(f"no server answers at {self.address}", Answer.NOTHING) from None
        connection = pymysql.connect(
            host=self.host,
            user=self.user,
            database=self.database,
            password=self.password.encode(),  # as a str it would be sent in latin-1
            charset="utf8mb4",
            client_flag=client_flag,
            init_command=self.init_command,
            autocommit=True,
            read_timeout=timeout,
            write_timeout=timeout,
            defer_connect=True,
            **self.encryption.arguments(),
        )
        # As PyMySQL notes for sockets that it makes itself (and leaves open where no one answers).
        connection._secure = bool(self.unix_socket)  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            connection.connect(link)
        except Exception as error:  # noqa: BLE001 (a stranger's bytes make any error)
            failure = error
        else:
            return connection
        raise self._explain(failure) from None

    def answer(self, timeout: float = 2) -> Answer:
        """Try to log in and tell what was met within `timeout` seconds."""
        try:
            self.connect(timeout).close()
        except LoginError as error:
            return error.answer
        return Answer.SERVICE

    def _link(self, timeout: float) -> socket.socket:
        if not self.unix_socket:
            link = socket.create_connection((self.host, self.port), timeout)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return link
        link = socket.socket(socket.AF_UNIX)
        try:
            link.settimeout(timeout)
            link.connect(self.unix_socket)
        except OSError:
            link.close()
            raise
        return link

    def _explain(self, error: Exception) -> LoginError:
        if "cryptography" in str(error):  # which the driver lacks where MySQL wants RSA
            line = f"{self.address} needs cryptography: pip install 'throwaway-mysql[rsa]'"
            return LoginError(f"a login by TCP to the server at {line}", Answer.UNABLE)
        if isinstance(getattr(error, "original_exception", error), ssl.SSLError):
            return LoginError(f"no TLS with the server at {self.address}: {error}", Answer.REFUSAL)
        match error.args:
            case (int(number), str(text)) if number == NO_TLS:
                return LoginError(f"the server at {self.address} has no TLS", Answer.REFUSAL)
            case (int(number), str(text)) if number == TOO_MANY_CONNECTIONS:
                line = f"the server at {self.address} is full: {text}"
                return LoginError(line, Answer.FULL)
            # Below 1000 the number is the system's, from 2000 to 2999 the driver's. Any other
            # is the server's own: there is one, and it said no.
            case (int(number), str(text)) if number >= 1000 and number // 1000 != 2:
                line = f"the server at {self.address} refused {self.user}: {text}"
                return LoginError(line, Answer.REFUSAL)
        line = f"what listens at {self.address} does not answer as a MySQL server"
        return LoginError(line, Answer.STRANGER)


def _scheme(driver: str) -> str:
    """Return a URL's scheme, in which SQLAlchemy has a driver after `mysql+`."""
    if driver in DRIVERS:
        return f"mysql+{driver}"
    if re.fullmatch(r"(mysql|mariadb)(\+[a-z0-9_]+)?", driver):
        return driver
    raise ServerError(f"'{driver}' names no driver: take one such as pymysql, or mysql+pymysql")


def _no_text(name: str, value: object) -> str:
    """Say of what type a Login's value is; it may be a password."""
    if value is None:
        return f"a Login's {name} is None: is the variable set that it is read from?"
    return f"a Login's {name} must be text, not {type(value).__name__}"

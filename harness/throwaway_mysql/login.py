"""An account at the address of a MySQL server."""

import _socket
import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from throwaway_mysql.errors import ServerError
from throwaway_mysql.tls import Tls

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

REMOTE = "THROWAWAY_MYSQL_REMOTE"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TOO_MANY_CONNECTIONS = 1040
NO_TLS = 2026  # the server has none, though TLS was requested
MAX_PORT = 65535
SCHEME = re.compile(r"(mysql|mariadb)(\+[a-z0-9_]+)?")
LATIN = ("pymysql", "aiomysql", "asyncmy")  # drivers that encode a password as latin-1
NO_CHARSET = ("mariadbconnector",)  # it has no such option, and always uses utf8mb4
# The real socket class and connect(), even if tests block connections: pytest-socket subclasses
# the class, or replaces its connect().
Socket: type[socket.socket] = next(
    (kind for kind in socket.socket.__mro__ if kind.__module__ == "socket"), socket.socket
)
_connect = (_socket.socket if issubclass(Socket, _socket.socket) else Socket).connect


class Answer(Enum):
    """The outcome of a login attempt."""

    NOTHING = auto()  # nothing listens there
    STRANGER = auto()  # something listens that does not speak MySQL's protocol
    REFUSAL = auto()  # a MySQL server rejects this account
    FULL = auto()  # a MySQL server has no connection left
    UNABLE = auto()  # a MySQL server's login needs a package that is not installed here
    SERVICE = auto()  # a MySQL server has accepted the login


class LoginError(ServerError):
    """A login failed; `answer` says how."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


@dataclass(frozen=True)
class Login:
    """Where a server is and who logs in there.

    The port may be text, as in the environment. Raises ServerError if one of the first four
    fields has an invalid value.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    unix_socket: str | None = None
    database: str | None = None  # each session's; if it does not exist, the login is refused
    init_command: str | None = None  # run at the start of each session, such as SET sql_mode
    tls: Tls | None = None  # by default `off` on this machine, `preferred` elsewhere

    def __post_init__(self) -> None:
        for name in ("host", "user", "password"):
            kind = type(getattr(self, name)).__name__  # the value may be a password
            if kind != "str":
                raise ServerError(
                    f"a Login's {name} must be text, not {kind}: is its environment variable set?"
                )
        port = str(self.port)
        if not re.fullmatch("[0-9]{1,5}", port) or int(port) > MAX_PORT:
            raise ServerError(
                f"a Login's port is {self.port!r}: it must be a number from 0 to {MAX_PORT}"
            )
        object.__setattr__(self, "port", int(port))  # the class is frozen

    @classmethod
    def from_url(cls, text: str) -> Self:
        """Return the account of mysql://user:password@host:port/database?unix_socket=...

        Raises ServerError, whose message omits the URL: it may hold a password.
        """
        url = urlsplit(text)
        unix_socket = dict(parse_qsl(url.query)).get("unix_socket")
        try:
            port = url.port or 3306
        except ValueError:
            port = 0
        needed = {
            "mysql://": SCHEME.fullmatch(url.scheme),
            "USER": url.username,
            "HOST": url.hostname or unix_socket,
            "PORT": port,
        }
        if wrong := [name for name, value in needed.items() if not value]:
            form = "mysql://USER:PASSWORD@HOST:PORT/DATABASE?unix_socket=PATH"
            raise ServerError(f"the URL of a server is {form}: this one has no {wrong[0]}")
        return cls(
            url.hostname or "localhost",
            port,
            unquote(url.username or ""),
            unquote(url.password or ""),
            unix_socket=unix_socket,
            database=unquote(url.path.removeprefix("/")) or None,
        )

    @property
    def address(self) -> str:
        """`host:port` or the socket's path: the server's name in messages."""
        return self.unix_socket or f"{self.host}:{self.port}"

    @property
    def encryption(self) -> Tls:
        """Return `tls`, or its default."""
        return self.tls or Tls("off" if self.near else "preferred")

    @property
    def near(self) -> bool:
        """Whether the server is on this machine."""
        return bool(self.unix_socket) or self.host in LOOPBACK

    def url(self, driver: str = "mysql", database: str = "", *, password: bool = True) -> str:
        """Return the URL of the server or of a database there, with the password or without.

        `mysql` gives a URL for any client; a driver, such as `pymysql` or `mysql+pymysql`, gives
        SQLAlchemy's. Raises ServerError if `driver` is neither.
        """
        driver = "mysqldb" if driver == "mysqlclient" else driver
        scheme = driver if SCHEME.fullmatch(driver) else f"mysql+{driver}"
        if not SCHEME.fullmatch(scheme):
            raise ServerError(f"'{driver}' is no driver: use one such as pymysql")
        name = scheme.partition("+")[2]
        # The servers hash a password's UTF-8: drivers of LATIN must be made to send that.
        secret = self.password.encode().decode("latin-1") if name in LATIN else self.password
        user, secret, path = (quote(text, safe="") for text in (self.user, secret, database))
        account = f"{user}:{secret}" if password else user
        host = f"[{self.host}]" if ":" in self.host else self.host
        # Clients written in C use a socket only for the host `localhost`.
        address = "localhost" if self.unix_socket else f"{host}:{self.port}"
        query = [f"unix_socket={quote(self.unix_socket)}"] if self.unix_socket else []
        query += ["charset=utf8mb4"] if database and name not in NO_CHARSET else []
        tls = self.encryption.query(name)
        query += [f"{option}={quote(value, safe='')}" for option, value in tls.items()]
        end = f"/{path}" if query or database else ""
        return f"{scheme}://{account}@{address}{end}{'?' if query else ''}{'&'.join(query)}"

    def connect(self, timeout: float = 30, client_flag: int = 0) -> "Connection[Cursor]":
        """Return an autocommitting connection; no step takes longer than `timeout` seconds.

        Raises LoginError, not chained to the driver's error, whose frames hold the password.
        """
        import pymysql  # only now: it is slow to import, and a conftest.py may need only Login

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
        # As PyMySQL sets it for its own sockets (which it leaves open if nothing answers).
        connection._secure = bool(self.unix_socket)  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            connection.connect(link)
        except Exception as error:  # noqa: BLE001 (another protocol's bytes may cause any error)
            failure = error
        else:
            return connection
        link.close()
        raise self._explain(failure) from None

    def answer(self, timeout: float = 2) -> Answer:
        """Try to log in, with `timeout` seconds for each step; return the outcome."""
        try:
            self.connect(timeout).close()
        except LoginError as error:
            return error.answer
        return Answer.SERVICE

    def _link(self, timeout: float) -> socket.socket:
        """Return a socket that is connected to the server. Raises OSError."""
        targets: list[tuple[int, Any]] = [(socket.AF_UNIX, self.unix_socket)]
        if not self.unix_socket:
            # Not socket.getaddrinfo(), which pytest-socket blocks as well.
            found = _socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)
            targets = [(family, address) for family, *_, address in found]
        failure = OSError()
        for family, address in targets:
            link = Socket(family, socket.SOCK_STREAM)
            link.settimeout(timeout)
            try:
                _connect(link, address)
            except OSError as error:
                link.close()
                failure = error
                continue
            if not self.unix_socket:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return link
        raise failure

    def _explain(self, error: Exception) -> LoginError:
        if "cryptography" in str(error):  # PyMySQL needs it for MySQL's RSA, and it is missing
            line = f"{self.address} needs cryptography: pip install 'throwaway-mysql[rsa]'"
            return LoginError(f"a login by TCP to the server at {line}", Answer.UNABLE)
        if isinstance(getattr(error, "original_exception", error), ssl.SSLError):
            return LoginError(
                f"cannot use TLS with the server at {self.address}: {error}", Answer.REFUSAL
            )
        match error.args:
            case (int(number), str(text)) if number == NO_TLS:
                return LoginError(f"the server at {self.address} has no TLS", Answer.REFUSAL)
            case (int(number), str(text)) if number == TOO_MANY_CONNECTIONS:
                line = f"the server at {self.address} is full: {text}"
                return LoginError(line, Answer.FULL)
            # Numbers below 1000 are the system's, 2000 to 2999 the driver's. All others come
            # from a server, which has refused.
            case (int(number), str(text)) if number >= 1000 and number // 1000 != 2:
                line = f"the server at {self.address} refused {self.user}: {text}"
                return LoginError(line, Answer.REFUSAL)
        line = f"what listens at {self.address} does not answer as a MySQL server"
        return LoginError(line, Answer.STRANGER)


def check_allowed(login: Login) -> None:
    """Raise ServerError if the server is on another machine that is not explicitly allowed."""
    allowed = [host.strip() for host in os.environ.get(REMOTE, "").split(",")]
    if not login.near and login.host not in allowed:
        raise ServerError(
            f"{login.address} is not this machine, so no databases are made or dropped there: "
            f"to allow that, set {REMOTE}={login.host}"
        )

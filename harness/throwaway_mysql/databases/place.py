"""A server where throwaway databases may be, how far it is, and whether its locks tell."""

import ipaddress
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, Self

import pymysql

from throwaway_mysql import ServerError
from throwaway_mysql.login import LOOPBACK, Login

CLOSED = "the connection to the server is closed"  # the one error that PyMySQL says nothing of
REMOTE = "THROWAWAY_MYSQL_REMOTE"
SLOWEST = 600.0  # seconds that a statement may work, such as the drop of many tables on a slow disk
# What the server says of itself where a lock is only one node's.
OF_ONE_NODE = {
    "wsrep_on": "Galera",
    "group_replication_group_name": "group replication",
    "ndb_connectstring": "NDB Cluster",
}


def near(login: Login) -> bool:
    """Tell whether a login leads to this machine."""
    if login.unix_socket or login.host in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(login.host).is_loopback
    except ValueError:
        return False


def check_allowed(login: Login) -> None:
    """Raise ServerError where the server is elsewhere, and nobody said that it may be used."""
    told = [host.strip() for host in os.environ.get(REMOTE, "").split(",")]
    if not near(login) and login.host not in told:
        raise ServerError(
            f"{login.address} is not this machine, so no database is made or dropped there: "
            f"if that is meant, set {REMOTE}={login.host}"
        )


def distrust(variables: Mapping[str, str], greeted: int, connection: int) -> str:
    """Say why locks cannot be trusted, from what the server told, or "" where they can.

    `greeted` is the connection's id in the greeting, which has 32 bits, and `connection`
    the one that a query tells: a proxy that shares its connections gives another.
    """
    for variable, kind in OF_ONE_NODE.items():
        if variables.get(variable, "OFF") not in ("", "OFF"):
            return f"a lock holds on one node only ({kind})"
    if greeted != connection % 2**32:
        return "a proxy stands before the server"
    return ""


class Place:
    """A connection to a server, and what is known of that server.

    Raises ServerError where the server is neither near nor allowed, or the login fails.
    """

    def __init__(self, login: Login) -> None:
        check_allowed(login)
        self.login = login
        self.connection = login.connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection, be it there or not."""
        if self.connection.open:
            self.connection.close()

    @property
    def id(self) -> int:
        """The connection's number, as the server's greeting had it."""
        return int(self.connection.thread_id())  # type: ignore[no-untyped-call]  # the stubs lack it

    def rows(self, statement: str | bytes, *values: object) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows; bytes are sent as they are."""
        sent: Any = statement  # the stubs know texts only
        with self.connection.cursor() as cursor:
            cursor.execute(sent, values or None)
            return list(cursor.fetchall())

    def value(self, statement: str, *values: object) -> Any:
        """Return the one value that a query gives."""
        return self.rows(statement, *values)[0][0]

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Give each statement of the block SLOWEST seconds; it waits for locks as it did."""
        connection: Any = self.connection  # the stubs lack what PyMySQL reads with
        before = connection._read_timeout  # noqa: SLF001
        connection._read_timeout = SLOWEST  # noqa: SLF001
        try:
            yield
        finally:
            connection._read_timeout = before  # noqa: SLF001

    @contextmanager
    def locked(self, name: str) -> Iterator[bool]:
        """Have a lock while the block runs, if nobody else has it; yields whether."""
        got = bool(self.value("SELECT GET_LOCK(%s, 0)", name))
        try:
            yield got
        finally:
            if got:
                with suppress(pymysql.MySQLError):  # it ends with the connection
                    self.value("SELECT RELEASE_LOCK(%s)", name)

    @property
    def now(self) -> int:
        """The server's time, in seconds since 1970."""
        return int(self.value("SELECT UNIX_TIMESTAMP()"))

    @cached_property
    def started(self) -> int:
        """When the server started, in seconds since 1970: the same however often it is asked."""
        while True:  # until the clock's second does not change in between
            before = self.now
            ((_, uptime),) = self.rows("SHOW GLOBAL STATUS LIKE 'Uptime'")
            if self.now == before:
                return before - int(uptime)

    @cached_property
    def declared(self) -> str:
        """Why locks cannot be trusted, by what the server tells of itself, or ""."""
        names = ", ".join(f"'{name}'" for name in OF_ONE_NODE)
        said = self.rows(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})")
        connection = self.value("SELECT CONNECTION_ID()")
        return distrust(dict(said), self.id, connection)

    @cached_property
    def distrust(self) -> str:
        """Why locks cannot be trusted, or "": what a lock does is tried as well."""
        return self.declared or self._tried()

    def _tried(self) -> str:
        name = f"throwaway-mysql {secrets.token_hex(8)}"
        with self.locked(name), Place(self.login) as other:
            seen = other.value("SELECT IS_USED_LOCK(%s)", name)
        if seen == self.value("SELECT CONNECTION_ID()"):
            return ""
        return "a lock on one connection is not seen by another: they lead to several servers"


def reason(error: pymysql.MySQLError) -> str:
    """Return what the server or the driver said, in one line."""
    said = " ".join(str(error.args[-1] if error.args else error).split())
    return said or CLOSED


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Raise what a server or the driver refuses in the block as ServerError, in one line."""
    try:
        yield
    except pymysql.MySQLError as error:
        raise ServerError(f"{what}: {reason(error)}") from None

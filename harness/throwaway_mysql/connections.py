"""Statements for a server: see who uses a database, and end the connections that lock it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.errors import ServerError

Row = tuple[Any, ...]
SLOWEST = 3600.0  # seconds that a statement may take, such as the drop of many tables
SHOWN = 200  # characters of a query
# Seconds to wait for locks: first for a transaction that may be about to end, then after the
# connections that are seen to hold locks were ended, and last after all that use the database were.
WAITS = (1, 5, 60)
LOCKED = (1205, 1213)  # waited too long, or was chosen to end a deadlock
CLOSED = "the connection to the server is closed"  # the one error that PyMySQL has no words for
# Also finds connections whose default database is another one.
METADATA = """
SELECT DISTINCT processlist_id FROM performance_schema.metadata_locks
JOIN performance_schema.threads ON owner_thread_id = thread_id
WHERE object_schema = %s AND lock_status = 'GRANTED'
"""
TRANSACTIONS = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx"


class User(NamedTuple):
    """A connection to the server, as the list of its processes shows it."""

    id: int
    user: str
    host: str
    database: str | None
    command: str
    seconds: int
    query: str | None

    def __str__(self) -> str:
        did = f"with {self.query[:SHOWN]!r}" if self.query else "idle, but with locks"
        return f"connection {self.id} of {self.user}@{self.host}, for {self.seconds} s {did}"


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Turn an error of the server or the driver into a ServerError of one line."""
    try:
        yield
    except pymysql.MySQLError as error:
        raise ServerError(f"{what}: {reason(error)}") from None


def reason(error: pymysql.MySQLError) -> str:
    """Return the words of a server or the driver, in one line."""
    return " ".join(str(error.args[-1] if error.args else error).split()) or CLOSED


def rows(connection: "Connection[Cursor]", statement: str | bytes, *values: object) -> list[Row]:
    """Execute a statement and return its rows; without values it is sent as it is."""
    text: Any = statement  # the stubs know no bytes
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return list(cursor.fetchall())


@contextmanager
def patient(connection: "Connection[Cursor]") -> Iterator[None]:
    """Allow each statement of the block SLOWEST seconds."""
    link: Any = connection  # the stubs lack what PyMySQL reads with
    before, link._read_timeout = link._read_timeout, SLOWEST  # noqa: SLF001
    try:
        yield
    finally:
        link._read_timeout = before  # noqa: SLF001


def users(connection: "Connection[Cursor]", database: str) -> list[User]:
    """Return the other connections with this default database, as far as the account sees them."""
    return [user for user in _others(connection) if user.database == database]


def holders(connection: "Connection[Cursor]", database: str) -> list[User]:
    """Return the other connections that are seen to hold locks in a database."""
    locking = {number for (number,) in _if_allowed(connection, METADATA, database)}
    begun = {number for (number,) in _if_allowed(connection, TRANSACTIONS)}
    return [
        user
        for user in _others(connection)
        if user.id in locking
        or (user.database == database and (user.id in begun or user.command != "Sleep"))
    ]


def insist(connection: "Connection[Cursor]", database: str, do: Callable[[], object]) -> list[User]:
    """Call `do`, and end connections whose locks in a database it waits for; return these.

    Raises what `do` raises, such as OperationalError(1205) if no such connection is seen.
    """
    ended: list[User] = []
    for attempt, wait in enumerate(WAITS, 1):
        names = ("lock_wait_timeout", "innodb_lock_wait_timeout")
        rows(connection, f"SET {', '.join(f'{name} = {wait}' for name in names)}")
        try:
            with patient(connection):
                do()
            break
        except pymysql.OperationalError as error:
            if error.args[0] not in LOCKED or attempt == len(WAITS):
                raise
            found = holders(connection, database) if attempt == 1 else []
            found = found or users(connection, database)
            if not found:
                raise
        for user in found:
            kill(connection, user)
        ended += found
    return ended


def kill(connection: "Connection[Cursor]", user: User) -> None:
    """End a connection; it may have ended by itself."""
    with suppress(pymysql.MySQLError):
        rows(connection, f"KILL {user.id}")


def _others(connection: "Connection[Cursor]") -> list[User]:
    me = connection.thread_id()  # type: ignore[no-untyped-call]  # the stubs lack it
    found = [User._make((*row[:6], row[7])) for row in rows(connection, "SHOW FULL PROCESSLIST")]
    return [user for user in found if user.id != me]


def _if_allowed(connection: "Connection[Cursor]", query: str, *values: object) -> list[Row]:
    """Return a query's rows; none if the table does not exist or the account may not read it."""
    with suppress(pymysql.MySQLError):
        return rows(connection, query, *values)
    return []

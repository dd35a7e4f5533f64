"""Find the connections that use a database, and end those that lock it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.errors import ServerError

Row = tuple[Any, ...]
SLOWEST = 3600.0  # seconds that a statement may take: dropping many tables is slow
SHOWN = 200  # characters of a query
# Seconds to wait for locks: first for transactions to end by themselves, then after ending the
# connections seen to hold locks, and last after ending all connections to the database.
WAITS = (1, 5, 60)
LOCKED = (1205, 1213)  # waited too long, or was chosen to end a deadlock
CLOSED = "the connection to the server is closed"  # PyMySQL's error for this has no text
TRANSACTIONS = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx"


class User(NamedTuple):
    """A connection to the server, as SHOW PROCESSLIST lists it."""

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
    """Turn an error of the server or the driver into a one-line ServerError."""
    try:
        yield
    except pymysql.MySQLError as error:
        raise ServerError(f"{what}: {reason(error)}") from None


def reason(error: pymysql.MySQLError) -> str:
    """Return the message of a server's or driver's error, in one line."""
    return " ".join(str(error.args[-1] if error.args else error).split()) or CLOSED


def rows(connection: "Connection[Cursor]", statement: str | bytes, *values: object) -> list[Row]:
    """Execute a statement and return its rows; without values, % is not special."""
    text: Any = statement  # the stubs do not allow bytes
    with connection.cursor() as cursor:
        cursor.execute(text, values or None)
        return list(cursor.fetchall())


def users(connection: "Connection[Cursor]", database: str) -> list[User]:
    """Return the other connections to this database that the account can see."""
    me = connection.thread_id()  # type: ignore[no-untyped-call]  # the stubs lack it
    found = [User._make((*row[:6], row[7])) for row in rows(connection, "SHOW FULL PROCESSLIST")]
    return [user for user in found if user.database == database and user.id != me]


def holders(connection: "Connection[Cursor]", database: str) -> list[User]:
    """Return the users that seem to hold locks; all users if none does."""
    begun: set[int] = set()
    with suppress(pymysql.MySQLError):  # the account may not see transactions
        begun = {number for (number,) in rows(connection, TRANSACTIONS)}
    found = users(connection, database)
    return [user for user in found if user.id in begun or user.command != "Sleep"] or found


def insist(connection: "Connection[Cursor]", database: str, do: Callable[[], object]) -> list[User]:
    """Call `do`, ending the connections whose locks in a database block it; return these.

    Raises what `do` raises, for example OperationalError(1205) if no such connection is visible.
    """
    ended: list[User] = []
    for attempt, wait in enumerate(WAITS, 1):
        names = ("lock_wait_timeout", "innodb_lock_wait_timeout")
        rows(connection, f"SET {', '.join(f'{name} = {wait}' for name in names)}")
        try:
            do()
            break
        except pymysql.OperationalError as error:
            if error.args[0] not in LOCKED or attempt == len(WAITS):
                raise
            found = (holders if attempt == 1 else users)(connection, database)
            if not found:
                raise
        for user in found:
            kill(connection, user)
        ended += found
    return ended


def kill(connection: "Connection[Cursor]", user: User) -> None:
    """End a connection, if it still exists."""
    with suppress(pymysql.MySQLError):
        rows(connection, f"KILL {user.id}")

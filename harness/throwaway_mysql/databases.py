"""One process's throwaway databases on one server: create, keep, drop and sweep them."""

import itertools
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple, Self

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from throwaway_mysql.connections import LOCKED, SLOWEST, User, insist, kill, refused, rows, users
from throwaway_mysql.errors import ServerError
from throwaway_mysql.grants import identifier
from throwaway_mysql.login import Login, check_allowed
from throwaway_mysql.owner import Owner, parse
from throwaway_mysql.settings import Database

__all__ = ["Database", "Databases", "Liveness", "Status", "throwaway_database"]

KEPT = "throwaway_kept"  # the view that marks a kept database
# The server's time (tests cannot freeze it), when the newest table was created, and the mark.
SIGNS = """
SELECT UNIX_TIMESTAMP(), COALESCE(UNIX_TIMESTAMP(MAX(create_time)), 0),
  COALESCE(MAX(table_name = %s), 0)
FROM information_schema.tables WHERE table_schema = %s
"""
COLLATION = """
SELECT IF(@@collation_server LIKE 'utf8mb4%', @@collation_server, default_collate_name)
FROM information_schema.character_sets WHERE character_set_name = 'utf8mb4'
"""

log = logging.getLogger(__name__)
_numbers = itertools.count(1)  # 0 is for the name that must be known in advance (mysql_env)


class Liveness(Enum):
    """Whether a database is still in use, and the reason to think so."""

    LIVE = "process {pid} runs"
    UNSURE = "its process is on another machine; it counts as ended a day after its last new table"
    KEPT = "its process has ended, and the run kept it"
    LEFT = "its process has ended"


class Status(NamedTuple):
    """Whose a database is, and whether it is still in use."""

    name: str
    owner: Owner
    state: Liveness

    def __str__(self) -> str:
        reason = self.state.value.format(pid=self.owner.pid)
        return f"{self.name}  {self.state.name.lower()}: {reason}"


class Databases:
    """One process's throwaway databases on one server, and those left there by ended processes.

    Their names begin with `prefix`. `owner` may be another process, for example the one that
    started this. `leaks` has a line for each connection
    that was ended because it held locks. Raises ServerError if the server is on another machine
    whose name is not explicitly allowed.
    """

    def __init__(self, login: Login, prefix: str, owner: Owner | None = None) -> None:
        check_allowed(login)
        self.login, self.prefix, self.owner = login, prefix, owner or Owner.me()
        self.leaks: list[str] = []
        self._purposes: dict[str, str] = {}
        self._kept: set[str] = set()
        self.templates: dict[str, Any] = {}  # those found so far, by their schema's key
        self.collation = ""  # of new databases: the server's default if that is a utf8mb4 one
        self._connection: Connection[Cursor] | None = None
        self._lock, self._process = threading.RLock(), os.getpid()
        self.name(0)  # raises if the prefix is invalid

    def of(self, owner: Owner) -> Self:
        """Return the databases of another process on the same server."""
        return type(self)(self.login, self.prefix, owner)

    def name(self, number: int | None = None) -> str:
        """Return the name of the owner's database with this number, by default the next."""
        return self.owner.name(self.prefix, next(_numbers) if number is None else number)

    def create(self, purpose: str = "", number: int | None = None) -> Database:
        """Create an empty database; reports of leaks name its purpose, such as a test module.

        A database with a given number is dropped first, as it may exist already.
        """
        name = self.name(number)
        with self.connected(f"{name} was not made at {self.login.address}") as connection:
            if number is not None:
                self._drop(connection, name)
            self._purposes[name] = purpose
            collate = f"CHARACTER SET utf8mb4 COLLATE {self.collation}"
            rows(connection, f"CREATE DATABASE {identifier(name)} {collate}")
        return Database.of(self.login, name)

    def drop(self, name: str) -> None:
        """Drop one of the owner's databases, and end all connections to it."""
        if not self._owns(name):
            raise ServerError(f"{name} is not dropped: it is not one that this process has made")
        with self.connected(f"{name} is not dropped") as connection:
            self._drop(connection, name)

    def drop_all(self) -> None:
        """Drop all the owner's databases except kept ones."""
        with self.connected("cannot drop the databases") as connection:
            for name in self._names(connection):
                if self._owns(name) and name not in self._kept:
                    self._drop(connection, name)

    def keep(self, name: str) -> None:
        """Keep a database: once its process has ended, only a sweep with `kept` drops it."""
        with self.connected(f"{name} is not kept") as connection:
            view = f"{identifier(name)}.{KEPT}"
            rows(connection, f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {view} AS SELECT 1 n")
        self._kept.add(name)

    def sweep(self, *, kept: bool = False) -> list[str]:
        """Drop what ended processes left, with `kept` also what they kept; return the names."""
        states = {Liveness.LEFT, Liveness.KEPT} if kept else {Liveness.LEFT}
        with self.connected(f"cannot sweep {self.login.address}") as connection:
            left = [status.name for status in self.survey() if status.state in states]
            swept = []
            for name in left:
                try:
                    self._drop(connection, name)
                except ServerError as error:  # go on with the others
                    log.warning("%s", error)
                else:
                    swept.append(name)
            return swept

    def survey(self) -> list[Status]:
        """Return the status of each database with the prefix, the oldest first."""
        with self.connected(f"cannot list the databases at {self.login.address}") as connection:
            found = [self._status(connection, name) for name in self._names(connection)]
        return [status for status in found if status]

    def report(self, name: str, ended: Sequence[User]) -> None:
        """Note the connections that were ended because they held locks in a database."""
        of = f" (of {self._purposes[name]})" if self._purposes.get(name) else ""
        self.leaks += [f"{name}{of}: {user}" for user in ended]

    def close(self) -> None:
        """Close the connection; the databases stay."""
        if self._connection and self._connection.open and self._process == os.getpid():
            self._connection.close()
        self._connection = None

    @contextmanager
    def connected(self, what: str) -> Iterator["Connection[Cursor]"]:
        """Yield the connection; errors in the block become one line that begins with `what`."""
        if os.getpid() != self._process:  # after a fork the connection is the parent's
            raise ServerError(f"{what}: these are databases of process {self._process}")
        with self._lock, refused(what):
            yield self._connect()

    def _connect(self) -> "Connection[Cursor]":
        """Return the connection, or a new one if there is none or the server has closed it."""
        if self._connection:
            try:
                self._connection.ping(reconnect=False)
            except pymysql.MySQLError:
                self.close()
        if not self._connection:
            self._connection = self.login.connect(client_flag=CLIENT.MULTI_STATEMENTS)
            self._connection._read_timeout = SLOWEST  # type: ignore[attr-defined]  # noqa: SLF001
            rows(self._connection, "SET foreign_key_checks = 0")
            ((self.collation,),) = rows(self._connection, COLLATION)
        return self._connection

    def _owns(self, name: str) -> bool:
        return parse(name, self.prefix) == self.owner

    def _names(self, connection: "Connection[Cursor]") -> list[str]:
        return sorted(name for (name,) in rows(connection, "SHOW DATABASES"))

    def _status(self, connection: "Connection[Cursor]", name: str) -> Status | None:
        """Return the status of a database; None if it is not a throwaway one."""
        owner = parse(name, self.prefix)
        if not owner:
            return None
        if owner.lives:
            return Status(name, owner, Liveness.LIVE)
        ((now, newest, kept),) = rows(connection, SIGNS, KEPT, name)
        if not owner.has_ended(now, newest):
            return Status(name, owner, Liveness.UNSURE)
        return Status(name, owner, Liveness.KEPT if kept else Liveness.LEFT)

    def _drop(self, connection: "Connection[Cursor]", name: str) -> None:
        """Drop a database, and end all connections that use it."""
        sql = f"DROP DATABASE IF EXISTS {identifier(name)}"
        try:
            ended = insist(connection, name, lambda: rows(connection, sql))
        except pymysql.OperationalError as error:
            if error.args[0] not in LOCKED:
                raise
            raise ServerError(
                f"{name} is not dropped: a transaction that {self.login.user} cannot see or end "
                "has locks in it: end it, and sweep"
            ) from None
        for user in users(connection, name):  # without locks, for example an engine's pool
            kill(connection, user)
        self.report(name, ended)
        self._purposes.pop(name, None)


@contextmanager
def throwaway_database(
    login: Login, prefix: str = "throwaway_test_", purpose: str = ""
) -> Iterator[Database]:
    """Create an empty database; drop it after the block, even if it is still in use."""
    databases = Databases(login, prefix)
    try:
        database = databases.create(purpose)
        try:
            yield database
        finally:
            databases.drop(database.name)
    finally:
        databases.close()
        for leak in databases.leaks:
            log.warning("a leak: %s", leak)

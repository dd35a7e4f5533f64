"""Throwaway databases of one process on one server: made, kept, dropped, swept."""

import itertools
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from throwaway_mysql.connections import LOCKED, User, insist, kill, refused, rows, users
from throwaway_mysql.errors import ServerError
from throwaway_mysql.grants import identifier
from throwaway_mysql.login import Login, check_allowed
from throwaway_mysql.owner import Liveness, Owner, parse
from throwaway_mysql.settings import Database

__all__ = ["Database", "Databases", "Status", "throwaway_database"]

SYSTEM = {"information_schema", "mysql", "ndbinfo", "performance_schema", "sys"}
KEPT = "throwaway_kept"  # the view that marks a database which is to stay
DAY = 24 * 3600  # seconds
COLLATION = """
SELECT IF(@@collation_server LIKE 'utf8mb4%', @@collation_server, default_collate_name)
FROM information_schema.character_sets WHERE character_set_name = 'utf8mb4'
"""

log = logging.getLogger(__name__)
_numbers = itertools.count(1)  # 0 is for a name that is known before


@dataclass(frozen=True)
class Status:
    """Whether a database is still in use, and how that is known."""

    name: str
    state: Liveness
    reason: str

    def __str__(self) -> str:
        return f"{self.name}  {self.state.value}: {self.reason}"


class Databases:
    """The throwaway databases of one process on one server, and what ended ones left there.

    `prefix` begins their names; `spared` are names that are never touched. `owner` may be
    another process, such as the one that started this. `leaks` has a line for each connection
    that a drop had to end as it held locks. Raises ServerError where the server is not this
    machine's and not allowed by name.
    """

    def __init__(
        self,
        login: Login,
        prefix: str,
        *,
        spared: Sequence[str] = (),
        owner: Owner | None = None,
    ) -> None:
        check_allowed(login)
        self.login, self.prefix, self.owner = login, prefix, owner or Owner.me()
        self.leaks: list[str] = []
        self.purposes: dict[str, str] = {}
        self.templates: dict[str, Any] = {}  # those found so far, by the key of their schema
        self._collation = ""
        self.spared = tuple(spared)
        self._never = SYSTEM | {name.lower() for name in spared}
        self._connection: Connection[Cursor] | None = None
        self._lock, self._process = threading.RLock(), os.getpid()
        self.name(0)  # raises where the prefix is none

    def of(self, owner: Owner) -> Self:
        """Return the databases of another process on the same server."""
        return type(self)(self.login, self.prefix, spared=self.spared, owner=owner)

    def name(self, number: int | None = None) -> str:
        """Return the name of the owner's database of that number, or of the next one."""
        return self.owner.name(self.prefix, next(_numbers) if number is None else number)

    def create(self, purpose: str = "", number: int | None = None) -> Database:
        """Make an empty database for a purpose, such as a module, which a leak is to name."""
        name = self.name(number)
        self.purposes[name] = purpose
        with self.connected(f"{name} was not made at {self.login.address}") as connection:
            self._create(connection, name)
        return Database.of(self.login, name)

    def recreate(self, name: str) -> None:
        """Make one of the owner's databases anew, whatever was left of it, for the same purpose."""
        purpose = self.purposes.get(name, "")
        with self.connected(f"{name} was not made at {self.login.address}") as connection:
            self._drop(connection, name)
            self._create(connection, name)
        self.purposes[name] = purpose

    def drop(self, name: str) -> None:
        """Drop one of the owner's databases, or one whose process has ended.

        Ends all connections that still use it. Raises ServerError for any other database.
        """
        with self.connected(f"{name} is not dropped") as connection:
            status = self._status(connection, name)
            if not status or (status.state is not Liveness.LEFT and not self._owns(name)):
                why = status.reason if status else f"it is no throwaway database {self.prefix}..."
                raise ServerError(f"{name} is not dropped: {why}")
            self._drop(connection, name)

    def drop_all(self) -> None:
        """Drop all of the owner's databases but those that are kept."""
        with self.connected("cannot drop the databases") as connection:
            for name in self._names(connection):
                if self._owns(name) and not _is_kept(connection, name):
                    self._drop(connection, name)

    def keep(self, name: str) -> None:
        """Let a database stay: after its process only a sweep of kept ones drops it."""
        with self.connected(f"{name} is not kept") as connection:
            view = f"{identifier(name)}.{KEPT}"
            rows(connection, f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {view} AS SELECT 1 n")

    def sweep(self, *, kept: bool = False) -> list[str]:
        """Drop what ended processes left, or also what they kept; return the names.

        Does nothing where another sweep is under way.
        """
        states = {Liveness.LEFT, Liveness.KEPT} if kept else {Liveness.LEFT}
        with self.connected(f"cannot sweep {self.login.address}") as connection:
            sweeping = f"throwaway-mysql sweep {self.prefix}"
            if rows(connection, "SELECT GET_LOCK(%s, 0)", sweeping) != [(1,)]:
                return []
            try:
                left = [status.name for status in self.survey() if status.state in states]
                return [name for name in left if self._sweeps(connection, name)]
            finally:
                rows(connection, "DO RELEASE_LOCK(%s)", sweeping)

    def survey(self) -> list[Status]:
        """Return the status of each database with the prefix, the oldest first."""
        with self.connected(f"cannot list the databases at {self.login.address}") as connection:
            found = [self._status(connection, name) for name in self._names(connection)]
        return [status for status in found if status]

    def report(self, name: str, ended: Sequence[User]) -> None:
        """Note the connections that were ended because they held locks in a database."""
        of = f" (of {self.purposes[name]})" if self.purposes.get(name) else ""
        self.leaks += [f"{name}{of}: {user}" for user in ended]

    def close(self) -> None:
        """Leave the server, and all databases there as they are."""
        if self._connection and self._connection.open and self._process == os.getpid():
            self._connection.close()
        self._connection = None

    @contextmanager
    def connected(self, what: str) -> Iterator["Connection[Cursor]"]:
        """Yield the connection; an error in the block is one line that begins with `what`."""
        if os.getpid() != self._process:  # after a fork the connection is the parent's
            raise ServerError(f"{what}: these are databases of process {self._process}")
        with self._lock, refused(what):
            yield self._connect()

    def _connect(self) -> "Connection[Cursor]":
        """Return the connection, or a new one where the server has ended it."""
        if self._connection:
            try:
                self._connection.ping(reconnect=False)
            except pymysql.MySQLError:
                self.close()
        if not self._connection:
            self._connection = self.login.connect(client_flag=CLIENT.MULTI_STATEMENTS)
            rows(self._connection, "SET foreign_key_checks = 0")
        return self._connection

    @property
    def collation(self) -> str:
        """The collation of new databases: the server's own where that is one of utf8mb4."""
        if not self._collation:
            with self.connected("cannot read the server's collation") as connection:
                ((self._collation,),) = rows(connection, COLLATION)
        return self._collation

    def _create(self, connection: "Connection[Cursor]", name: str) -> None:
        collate = f"CHARACTER SET utf8mb4 COLLATE {self.collation}"
        rows(connection, f"CREATE DATABASE {identifier(name)} {collate}")

    def _owns(self, name: str) -> bool:
        return parse(name, self.prefix) == self.owner and name.lower() not in self._never

    def _names(self, connection: "Connection[Cursor]") -> list[str]:
        return sorted(name for (name,) in rows(connection, "SHOW DATABASES"))

    def _status(self, connection: "Connection[Cursor]", name: str) -> Status | None:
        """Return the status of a database; None if it is not one of ours."""
        owner = parse(name, self.prefix)
        if not owner or name.lower() in self._never:
            return None
        ((now,),) = rows(connection, "SELECT UNIX_TIMESTAMP()")
        state = owner.state(now)
        if state is Liveness.LIVE:
            return Status(name, state, f"process {owner.pid} runs")
        if state is Liveness.UNSURE or (not owner.here and _is_young(connection, name, now)):
            why = "its process is on another machine: it counts as ended a day after its last table"
            return Status(name, Liveness.UNSURE, why)
        if _is_kept(connection, name):
            return Status(name, Liveness.KEPT, "its process has ended, and the run kept it")
        return Status(name, Liveness.LEFT, "its process has ended")

    def _sweeps(self, connection: "Connection[Cursor]", name: str) -> bool:
        try:
            self._drop(connection, name)
        except ServerError as error:  # the others can go nevertheless
            log.warning("%s", error)
            return False
        return True

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
        for user in users(connection, name):  # without locks, such as the pool of an engine
            kill(connection, user)
        self.report(name, ended)
        self.purposes.pop(name, None)


@contextmanager
def throwaway_database(
    login: Login, prefix: str = "throwaway_test_", purpose: str = ""
) -> Iterator[Database]:
    """Make an empty database, and drop it after the block, whatever uses it then."""
    databases = Databases(login, prefix)
    database = databases.create(purpose)
    try:
        yield database
    finally:
        databases.drop(database.name)
        databases.close()
        for leak in databases.leaks:
            log.warning("a leak: %s", leak)


def _is_kept(connection: "Connection[Cursor]", name: str) -> bool:
    query = "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    return bool(rows(connection, query, name, KEPT))


def _is_young(connection: "Connection[Cursor]", name: str, now: int) -> bool:
    """Tell whether a database got a table within a day, by the server's clock alone."""
    query = (
        "SELECT UNIX_TIMESTAMP(MAX(create_time)) FROM information_schema.tables"
        " WHERE table_schema = %s"
    )
    ((made,),) = rows(connection, query, name)
    return made is not None and now - made < DAY

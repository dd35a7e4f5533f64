"""A schema in an empty database: really made the first time, then a checked copy of that."""

import fcntl
import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from pymysql.connections import Connection
from pymysql.constants import CLIENT
from pymysql.cursors import Cursor

from throwaway_mysql.cache import remove_unused
from throwaway_mysql.databases.place import SLOWEST
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.ddl import CloneError, Contents
from throwaway_mysql.schemas.digest import differences, lines
from throwaway_mysql.schemas.dump import DigestError, Dump, take
from throwaway_mysql.schemas.schema import Schema

RECIPE = "4"  # to be raised when other dumps or digests are made of the same database
# What of a server, besides its version, decides what the same SQL makes there.
SERVER = (
    "version",
    "version_comment",
    "sql_mode",
    "lower_case_table_names",
    "collation_server",
    "time_zone",
    "system_time_zone",
    "default_storage_engine",
    "explicit_defaults_for_timestamp",
    "innodb_page_size",
    "innodb_default_row_format",
    "max_allowed_packet",
)


@dataclass
class Filled:
    """How a database got its schema: copied (`cloned`) or really made.

    `seconds` of each step that it took: key, load, wait, replay, check, empty, make, dump.
    `warning` is a line to show: a copy did not come out right. `note` is a line for who asks
    why no copy was made or kept.
    """

    cloned: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    warning: str = ""
    note: str = ""

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - began


def fill(login: Login, database: str, schema: Schema, cache: Path) -> Filled:
    """Give an empty database its schema, by a copy that is kept in the folder `cache`.

    The database's name must be one that nothing else has: in a copy it is replaced wherever it
    stands. Rows that say when they were made say when the copied ones were. What the schema's
    own code raises comes through; whatever is wrong with a copy leads to the real thing.
    """
    filled = Filled()
    with replace(login, database=database).connect(SLOWEST, CLIENT.MULTI_STATEMENTS) as connection:
        with filled.step("key"):
            server, collation = _server(connection)
            key = schema.key(server)
        filling = _Filling(login, database, schema, connection, collation, filled)
        if key is None:
            filled.note = "not copied: what its schema depends on is not known, see `also`"
            filling.make()
        else:
            filling.key = hashlib.sha256(f"{RECIPE} {server} {key}".encode()).hexdigest()
            filling.by_copy(cache / f"schema-{filling.key[:32]}.dump")
    return filled


@dataclass
class _Filling:
    """A database on its way to its schema; `collation` is the one that it had when empty."""

    login: Login
    database: str
    schema: Schema
    connection: "Connection[Cursor]"
    collation: str
    filled: Filled
    key: str = ""
    lacking: str = ""  # what no copy would have

    def make(self) -> None:
        with self.filled.step("make"):
            said = self.schema.make(self.login, self.database)
        self.lacking = said if isinstance(said, str) else ""  # a project's own may say anything

    def by_copy(self, path: Path) -> None:
        dump = self._load(path)
        if dump is None:
            with self._locked(path):
                dump = self._load(path)  # which another may have made meanwhile
                if dump is None:
                    self.make()
                    self._save(self._take(), path)
                    return
        if dump.refused:
            self.filled.note = f"not copied: {dump.refused}"
            self.make()
        elif error := self._replay(dump):
            self.filled.warning = f"the schema was made anew, as {path} makes another: {error}"
            with self._locked(path):
                self._make_again(dump, path)
            if isinstance(error, DigestError):
                made = lines(self.connection, self.database, positions=True)
                self.filled.warning += f" ({differences(made, error.made, most=2)})"

    def _replay(self, dump: Dump) -> CloneError | None:
        try:
            with self.filled.step("replay"):
                dump.replay(self.connection, self.database)
            with self.filled.step("check"):
                dump.check(self.connection, self.database)
        except CloneError as error:
            return error
        self.filled.cloned = True
        return None

    def _make_again(self, old: Dump, path: Path) -> None:
        with self.filled.step("empty"):
            empty(self.connection, self.database, self.collation)
        self.make()
        new = self._take()
        if new.digest == old.digest:  # the copy was of the same, so the next were no better
            new = new.refuse("an earlier copy did not come out right")
        self._save(new, path)

    def _take(self) -> Dump:
        with self.filled.step("dump"):
            if self.lacking:
                dump = Dump.refusal(self.key, self.lacking)
            else:
                dump = take(self.connection, self.database, self.collation, self.key)
        if dump.refused:
            self.filled.note = f"not copied: {dump.refused}"
        return dump

    def _load(self, path: Path) -> Dump | None:
        with self.filled.step("load"):
            return Dump.load(path, self.key)

    def _save(self, dump: Dump, path: Path) -> None:
        with self.filled.step("dump"):
            try:
                dump.save(path)
                remove_unused(path.parent)
            except OSError as error:
                self.filled.note = f"no copy was kept: {error.strerror} ({path.parent})"

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        """Let one process at a time make a dump; where none can be kept, all may."""
        with ExitStack() as stack:
            with self.filled.step("wait"), suppress(OSError):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = stack.enter_context(path.with_suffix(".lock").open("w"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def empty(connection: "Connection[Cursor]", database: str, collation: str) -> None:
    """Remove all from the connection's database but our marker."""
    with connection.cursor() as cursor:
        for statement in Contents(connection, database).drops():
            cursor.execute(statement)
        cursor.execute(f"ALTER DATABASE COLLATE {collation}")


def _server(connection: "Connection[Cursor]") -> tuple[str, str]:
    """Return what of the server and the empty database matters, and the latter's collation."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@collation_database")
        ((collation,),) = cursor.fetchall()
        cursor.execute("SHOW GLOBAL VARIABLES WHERE variable_name IN %s", (SERVER,))
        found = sorted(cursor.fetchall())
    return f"{found} {collation}", collation

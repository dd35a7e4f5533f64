"""Restore the rows that a test has changed from the template."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.clone import LEAVE, Template
from throwaway_mysql.connections import Row, insist, rows
from throwaway_mysql.contents import SEQUENCE, SESSION, TRIGGERS, VERSIONED
from throwaway_mysql.databases import Database
from throwaway_mysql.errors import ServerError
from throwaway_mysql.grants import identifier

INSTEAD = "set mysql_database = test"
NO_ROWS = 0  # the checksum of an empty table
# InnoDB keeps the time of a table's last commit in whole seconds, by a clock that may be some
# milliseconds late: a later commit in the same second does not show. For partitioned tables and
# other engines the time is less reliable.
TABLES = """
SELECT table_name, COALESCE(auto_increment, 1), create_time, update_time, COALESCE(
  engine = 'InnoDB' AND create_options NOT LIKE '%%partitioned%%'
  AND update_time < NOW() - INTERVAL 1 SECOND, 0)
FROM information_schema.tables
WHERE table_schema = %s AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
"""


class Table(NamedTuple):
    """A table as the server describes it; if `sure`, a later change will show in its times."""

    name: str
    next: int  # AUTO_INCREMENT
    created: Any
    updated: Any
    sure: int

    @property
    def times(self) -> Row:
        """When it was created and last changed."""
        return self.created, self.updated


class Rows:
    """The rows of a database that was copied from a template.

    Raises ServerError if its rows could not be restored after a test.
    """

    def __init__(self, template: Template, database: Database) -> None:
        self.database, self._template = database.name, template
        self._same: dict[str, Row] = {}  # times at which tables had the template's rows
        self._sums: dict[str, Any] = {}  # the template's checksums
        what = f"cannot read the rows of {self.database}"
        with template.databases.connected(what) as connection:
            rows(connection, SESSION)
            self._first = {table.name: table.next for table in _tables(connection, template.name)}
            fire = {(table, event) for _, table, event in rows(connection, TRIGGERS, self.database)}
        self._fires_at_delete = {table for table, event in fire if event == "DELETE"}
        if at_insert := sorted(name for name in template.filled if (name, "INSERT") in fire):
            raise ServerError(
                f"rows of {at_insert[0]} in {self.database} cannot be put back, as a trigger "
                f"fires at each: {INSTEAD}"
            )

    def restore(self) -> list[str]:
        """Restore all rows and AUTO_INCREMENT counters; return the tables that had changed.

        Ends connections whose locks are in the way, as a drop does: see `Databases.leaks`.
        """
        changed: set[str] = set()
        what = f"the rows of {self.database} were not put back"
        databases = self._template.databases
        with databases.connected(what) as connection:
            rows(connection, SESSION)
            connection.select_db(self.database)
            try:
                ended = insist(
                    connection, self.database, lambda: changed.update(self._restore(connection))
                )
            finally:
                rows(connection, LEAVE)
            databases.report(self.database, ended)
        return sorted(changed)

    def _restore(self, connection: "Connection[Cursor]") -> set[str]:
        rows(connection, "ROLLBACK")  # what an earlier attempt left unfinished
        found = {table.name: table for table in _tables(connection, self.database)}
        kinds = self._template.kinds
        if gone := sorted(name for name in kinds if kinds[name] != SEQUENCE and name not in found):
            raise ServerError(
                f"the table {gone[0]} of {self.database} is gone, and only rows are put back "
                f"after a test: {INSTEAD}"
            )
        changed = set(self._changed(connection, found.values()))
        moved = {name for name in found if found[name].next != self._first.get(name, 1)}
        for statement in self._statements(changed, moved):
            rows(connection, statement)
        same = found.keys() - changed - moved
        self._same = {name: found[name].times for name in same if found[name].sure}
        return changed | moved

    def _changed(self, connection: "Connection[Cursor]", found: Iterable[Table]) -> Iterator[str]:
        """Yield the tables whose rows differ, or may differ, from the template's."""
        filled, kinds = self._template.filled, self._template.kinds
        unsure = [table.name for table in found if self._same.get(table.name) != table.times]
        versioned = {name for name in unsure if kinds.get(name) == VERSIONED}
        yield from versioned  # a checksum does not cover the history
        summed = [name for name in unsure if name not in versioned]
        new = [name for name in summed if name in filled and name not in self._sums]
        self._sums |= _checksums(connection, self._template.name, new)
        now = _checksums(connection, self.database, summed)
        yield from (name for name in summed if now[name] != self._sums.get(name, NO_ROWS))

    def _statements(self, changed: set[str], moved: set[str]) -> Iterator[str]:
        """Yield the statements that restore tables; TRUNCATE comes first, as it commits."""
        kinds, filled = self._template.kinds, self._template.filled
        versioned = {name for name in changed if kinds.get(name) == VERSIONED}
        truncated = changed & self._fires_at_delete - versioned  # slower than DELETE
        yield from (f"TRUNCATE TABLE {identifier(name)}" for name in sorted(truncated))
        if changed:
            yield "BEGIN"
            for name in sorted(changed - truncated):
                yield f"DELETE FROM {identifier(name)}"  # noqa: S608
            yield from (f"DELETE HISTORY FROM {identifier(name)}" for name in versioned)
            yield from map(self._template.insert, sorted(changed & filled))
            yield "COMMIT"
        yield from (self._template.insert(name) for name in kinds if kinds[name] == SEQUENCE)
        for name in sorted(moved | truncated):
            yield f"ALTER TABLE {identifier(name)} AUTO_INCREMENT = {self._first.get(name, 1)}"


def _tables(connection: "Connection[Cursor]", database: str) -> list[Table]:
    return [Table._make(row) for row in rows(connection, TABLES, database)]


def _checksums(
    connection: "Connection[Cursor]", database: str, tables: Sequence[str]
) -> dict[str, Any]:
    if not tables:
        return {}
    names = ", ".join(f"{identifier(database)}.{identifier(table)}" for table in tables)
    found = rows(connection, f"CHECKSUM TABLE {names}")
    return {table: total for table, (_, total) in zip(tables, found, strict=True)}

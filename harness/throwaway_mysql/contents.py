"""The contents of a database, as the server describes them."""

from collections.abc import Iterator
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import Cursor, DictCursor

from throwaway_mysql.connections import rows
from throwaway_mysql.errors import ServerError
from throwaway_mysql.grants import identifier

# Session settings for reading and copying. Each server runs the comment meant for it: without the
# first, MySQL may show values of AUTO_INCREMENT and update times that are a day old; the second
# lets MariaDB insert the history of system-versioned tables.
SESSION = (
    "SET NAMES utf8mb4, time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0,"
    " lock_wait_timeout = DEFAULT, innodb_lock_wait_timeout = DEFAULT,"
    " sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'"
    " /*!80000 , information_schema_stats_expiry = 0 */"
    " /*M!101100 , system_versioning_insert_history = 1 */"
)
TABLE, SEQUENCE, VERSIONED = "BASE TABLE", "SEQUENCE", "SYSTEM VERSIONED"
OURS = ("throwaway_kept", "throwaway_made")  # marker views, not part of any schema
TABLES = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s"
COLUMNS = """
SELECT table_name, column_name, generation_expression = 'ROW START'
FROM information_schema.columns
WHERE table_schema = %s AND COALESCE(generation_expression, '') IN ('', 'ROW START', 'ROW END')
ORDER BY table_name, ordinal_position
"""
# Each table's triggers, in the order in which they fire.
TRIGGERS = """
SELECT trigger_name, event_object_table, event_manipulation FROM information_schema.triggers
WHERE event_object_schema = %s
ORDER BY event_object_table, action_timing, event_manipulation, action_order
"""
ROUTINES = """
SELECT routine_type, routine_name FROM information_schema.routines
WHERE routine_schema = %s ORDER BY 1, 2
"""
EVENTS = "SELECT event_name FROM information_schema.events WHERE event_schema = %s ORDER BY 1"


class Contents:
    """The tables of a database with their kinds, and its views, triggers, routines and events.

    The connection keeps the database as its default, and the settings of SESSION.
    """

    def __init__(self, connection: "Connection[Cursor]", database: str) -> None:
        self.connection, self.database = connection, database
        rows(connection, SESSION)
        connection.select_db(database)
        ((self.collation,),) = rows(connection, "SELECT @@collation_database")
        found: dict[str, str] = dict(rows(connection, TABLES, database))
        self.views = sorted(name for name in found if found[name] == "VIEW" and name not in OURS)
        kinds = (SEQUENCE, TABLE, VERSIONED)  # sequences first: column defaults may use them
        self.tables: dict[str, str] = {
            name: kind for kind in kinds for name in sorted(found) if found[name] == kind
        }
        if odd := sorted(name for name in found if found[name] not in (*kinds, "VIEW")):
            raise ServerError(f"{odd[0]} is no table that can be copied: {found[odd[0]]}")
        self.triggers = rows(connection, TRIGGERS, database)

    def columns(self) -> dict[str, list[str]]:
        """Return each table's columns to copy: all but generated ones."""
        columns: dict[str, list[str]] = {name: [] for name in self.tables}
        unnamed = {name for name, kind in self.tables.items() if kind == VERSIONED}
        for table, column, begins in rows(self.connection, COLUMNS, self.database):
            if table in columns:
                columns[table].append(column)
            if begins:
                unnamed.discard(table)
        for table in unnamed:  # their period columns are hidden
            columns[table] += ["row_start", "row_end"]
        return columns

    def table(self, name: str) -> str:
        """Return the statement that creates a table or sequence."""
        kind = "SEQUENCE" if self.tables[name] == SEQUENCE else "TABLE"
        return str(self._created(kind, name)["Create Table"])

    def others(self) -> Iterator[tuple[str, str, dict[str, Any], str]]:
        """Yield everything that is not a table, in an order in which it can be created.

        Each item has the kind, the name, the row of SHOW CREATE, and the statement.
        """
        for kind, name in rows(self.connection, ROUTINES, self.database):
            yield self._other(kind, name, f"Create {kind.title()}")
        views = {name: self._other("VIEW", name, "Create View") for name in self.views}
        yield from (views[name] for name in _in_order({name: views[name][3] for name in views}))
        for name, *_ in self.triggers:
            yield self._other("TRIGGER", name, "SQL Original Statement")
        for (name,) in rows(self.connection, EVENTS, self.database):
            yield self._other("EVENT", name, "Create Event")

    def _other(self, kind: str, name: str, column: str) -> tuple[str, str, dict[str, Any], str]:
        row = self._created(kind, name)
        if not row[column]:
            raise ServerError(f"this account may not read the {kind.lower()} {name}")
        return kind, name, row, row[column]

    def _created(self, kind: str, name: str) -> dict[str, Any]:
        with self.connection.cursor(DictCursor) as cursor:
            cursor.execute(f"SHOW CREATE {kind} {identifier(name)}")
            return dict(cursor.fetchone() or {})


def _in_order(views: dict[str, str]) -> list[str]:
    """Return the names of views, each after the views it selects from."""
    done: dict[str, None] = {}

    def add(name: str, above: tuple[str, ...] = ()) -> None:
        for other in views:
            if other not in (name, *above, *done) and identifier(other) in views[name]:
                add(other, (*above, name))
        done[name] = None

    for name in views:
        add(name)
    return list(done)

"""The statements that make a database's objects again, as the server itself words them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor, DictCursor

from throwaway_mysql.accounts import identifier
from throwaway_mysql.databases import marker
from throwaway_mysql.schemas.digest import SESSION

BASE, VIEW = "BASE TABLE", "VIEW"
# A person's own text is last in its packet: it may end with a comment, and MySQL takes what
# stands before the next semicolon for a part of it.
END_OF_PACKET = ""
ROUTINES = ("FUNCTION", "PROCEDURE")
STRICT = ("STRICT_TRANS_TABLES", "STRICT_ALL_TABLES")  # with them MySQL has other NULLs in views


class CloneError(Exception):
    """A database cannot be copied faithfully; the message says what it is that cannot."""


class Contents:
    """What is in the connection's database, but for our marker; its session is SESSION's.

    `collation` is the database's; `tables` and `views` are names, `routines` pairs of a type and
    a name, all in order.
    Raises CloneError where there is what no copy can be made of.
    """

    def __init__(self, connection: "Connection[Cursor]", database: str) -> None:
        self.connection = connection
        self.database = database
        self._ask(SESSION)
        # Not @@collation_database, which is as it was at the login.
        ((self.collation,),) = self._names("schemata", "schema", "default_collation_name")
        kinds = self._names("tables", "table", "table_name, table_type")
        self.tables = [name for name, kind in kinds if kind == BASE]
        self.views = [name for name, kind in kinds if kind == VIEW and name != marker.VIEW]
        self.triggers = [
            name
            for name, *_ in self._names(
                "triggers",
                "trigger",
                "trigger_name, event_object_table, action_timing, event_manipulation, action_order",
                order="2, 3, 4, 5",
            )
        ]
        self.routines = self._names("routines", "routine", "routine_type, routine_name")
        self.events = [name for (name,) in self._names("events", "event", "event_name")]
        # With an index on an array, whose checksum MySQL makes of addresses in memory.
        self.arrays: set[str] = set()
        self._odd = [f"{name} ({kind})" for name, kind in kinds if kind not in (BASE, VIEW)]
        self._odd += [f"{name} ({kind})" for kind, name in self.routines if kind not in ROUTINES]

    def statements_before_rows(self) -> Iterator[str]:
        """Yield what makes the tables."""
        if self._odd:
            raise CloneError(f"there is {self._odd[0]}")
        for name in self.tables:
            statement = self._made("TABLE", name)["Create Table"]
            if " array)" in statement:
                self.arrays.add(name)
            yield statement

    def statements_after_rows(self) -> Iterator[str]:
        """Yield what makes all else; triggers come now, so that no row starts them."""
        mode = str(self._ask("SELECT @@GLOBAL.sql_mode AS mode")[0]["mode"])
        born = _Born(self.collation, ",".join(name for name in mode.split(",") if name in STRICT))
        made = [(self._made(kind, name), f"Create {kind.title()}") for kind, name in self.routines]
        views = {name: self._made("VIEW", name) for name in self.views}
        made += [(views[name], "Create View") for name in _in_order(views)]
        made += [(self._made("TRIGGER", name), "SQL Original Statement") for name in self.triggers]
        made += [(self._made("EVENT", name), "Create Event") for name in self.events]
        definer = self._definer()
        for row, column in made:
            if not row[column]:
                raise CloneError(f"this account may not read {next(iter(row.values()))}")
            statement = definer.sub(r"\1", row[column], count=1)
            yield from born.settings(row, statement)
            yield statement
            if column != "Create View":
                yield END_OF_PACKET
        yield from born.end()

    def drops(self) -> Iterator[str]:
        """Yield what removes all of it, triggers with their tables."""
        for kind, names in (("VIEW", self.views), ("TABLE", self.tables)):
            if names:
                yield f"DROP {kind} {', '.join(map(identifier, names))}"
        for kind, name in [*self.routines, *(("EVENT", name) for name in self.events)]:
            yield f"DROP {kind} {identifier(name)}"

    def _names(self, table: str, kind: str, columns: str, order: str = "1, 2") -> list[Any]:
        schema = {"triggers": "event_object_schema", "schemata": "schema_name"}.get(
            table, f"{kind}_schema"
        )
        order = "1" if "," not in columns else order
        query = f"SELECT {columns} FROM information_schema.{table} "  # noqa: S608
        query += f"WHERE {schema} = %s ORDER BY {order}"
        with self.connection.cursor() as cursor:
            cursor.execute(query, (self.database,))
            return list(cursor.fetchall())

    def _made(self, kind: str, name: str) -> dict[str, Any]:
        return self._ask(f"SHOW CREATE {kind} {identifier(name)}")[0]

    def _ask(self, query: str) -> Sequence[dict[str, Any]]:
        with self.connection.cursor(DictCursor) as cursor:
            try:
                cursor.execute(query)
            except pymysql.MySQLError as error:  # such as a view of a table that is gone
                raise CloneError(f"{query}: {error.args[-1]}") from None
            return cursor.fetchall()

    def _definer(self) -> re.Pattern[str]:
        """Return what finds this account as a definer; who makes a copy is its definer."""
        me = self._ask("SELECT CURRENT_USER() AS me")[0]["me"]
        user, _, host = (re.escape(part) for part in me.rpartition("@"))
        begin = r"\A(CREATE (?:ALGORITHM=\w+ )?)"
        return re.compile(rf"{begin}DEFINER=[`\"]{user}[`\"]@[`\"]{host}[`\"] ")


class _Born:
    """The session in which the next object is to be made: it notes it, and works by it later."""

    def __init__(self, collation: str, strict: str) -> None:
        self._collation = self._now = collation  # of the database: parameters are of it
        self._strict = strict  # for views: of theirs nothing is told
        self._set = ""

    def settings(self, row: dict[str, Any], statement: str) -> Iterator[str]:
        """Yield what sets the session for an object of which SHOW CREATE said `row`."""
        client = row["character_set_client"]
        if not (statement.isascii() or client.startswith("utf8")):
            raise CloneError(f"{next(iter(row.values()))} was written in {client}")
        yield from self._at(row.get("Database Collation", self._now))
        setting = (
            f"SET character_set_client = {client}, "
            f"collation_connection = {row['collation_connection']}, "
            f"sql_mode = '{row.get('sql_mode', self._strict)}', "
            f"time_zone = '{row.get('time_zone', '+00:00')}'"
        )
        if setting != self._set:
            yield setting
        self._set = setting

    def end(self) -> Iterator[str]:
        """Yield what sets the database's collation back."""
        yield from self._at(self._collation)

    def _at(self, collation: str) -> Iterator[str]:
        if collation != self._now:
            yield f"ALTER DATABASE COLLATE {collation}"
        self._now = collation


def _in_order(views: dict[str, dict[str, Any]]) -> list[str]:
    """Return the views so that each comes after those that it names."""
    done: dict[str, None] = {}
    under_way: set[str] = set()

    def add(name: str) -> None:
        if name in done or name in under_way:
            return
        under_way.add(name)
        for other in views:
            if identifier(other) in views[name]["Create View"]:
                add(other)
        done[name] = None

    for name in views:
        add(name)
    return list(done)

"""Template databases: each run makes a schema once, and copies it on the server."""

from collections.abc import Iterator

import pymysql

from throwaway_mysql.connections import rows
from throwaway_mysql.contents import SEQUENCE, SESSION, VERSIONED, Contents
from throwaway_mysql.databases import Database, Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.grants import identifier
from throwaway_mysql.owner import NUMBERS, Owner
from throwaway_mysql.schema import Schema, key_of

FIRST = NUMBERS // 2  # number of a run's first template; lower numbers are other databases
MADE = "throwaway_made"  # the view that marks a complete template, and holds its schema's key
WAIT = 3000  # seconds that another process may take to make the template
SOURCE = "\0template\0"  # placeholder for the template's name; no SQL contains a NUL
ABSENT = (1044, 1049, 1142, 1146)  # the database or view is missing, or hidden from this account
LEAVE = "USE information_schema"  # so that a drop does not end our own connection
STRICT = {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"}  # they change MySQL's NULLs in views


class Template:
    """A database that is copied.

    `kinds` maps each table to its kind, `columns` to the columns that are copied; `filled` holds
    the tables that have rows. Raises ServerError if the server cannot recreate the contents.
    """

    def __init__(self, databases: Databases, name: str, schema: Schema | None = None) -> None:
        self.databases, self.name = databases, name
        self.schema = schema  # keeps it alive, so that no other object gets its id()
        self.filled: set[str] = set()
        with databases.connected(f"{name} cannot be copied") as connection:
            contents = Contents(connection, name)
            self.columns, self.kinds = contents.columns(), contents.tables
            tables = ";\n".join([SESSION, *self._tables(contents)])
            self._packets = [tables, *_others(contents), f"{SESSION};\n{LEAVE}"]
            rows(connection, LEAVE)

    @classmethod
    def make(cls, databases: Databases, schema: Schema, run_owner: Owner) -> "Template":
        """Return the run's template of a schema; the first process that needs it makes it.

        `run_owner` is the process that drops it at the end. If a schema has no key (key_of), each
        process makes its own template.
        """
        key = key_of(schema)
        owner, key = (run_owner, key) if key else (databases.owner, f"object {id(schema)}")
        if key not in databases.templates:
            name = _find(databases, schema, owner, key)
            databases.templates[key] = cls(databases, name, schema)
        template: Template = databases.templates[key]
        return template

    def copy(self, database: Database) -> None:
        """Give an empty database the schema and its rows."""
        name = database.name
        with self.databases.connected(f"{self.name} cannot be copied") as connection:
            connection.select_db(name)
            with connection.cursor() as cursor:
                for packet in self._packets:
                    cursor.execute(packet.replace(self.name, name).replace(SOURCE, self.name))
                    while cursor.nextset():
                        pass

    def insert(self, table: str) -> str:
        """Return the statement that copies a table's rows from the template."""
        columns = ", ".join(map(identifier, self.columns[table]))
        source = f"{identifier(self.name)}.{_whole(table, self.kinds[table])}"
        return f"INSERT INTO {identifier(table)} ({columns}) SELECT {columns} FROM {source}"  # noqa: S608

    def _tables(self, contents: Contents) -> Iterator[str]:
        if contents.collation != self.databases.collation:
            yield f"ALTER DATABASE COLLATE {contents.collation}"
        yield from map(contents.table, contents.tables)
        for table, kind in contents.tables.items():
            query = f"SELECT 1 FROM {_whole(table, kind)} LIMIT 1"  # noqa: S608
            if kind == SEQUENCE or (self.columns[table] and rows(contents.connection, query)):
                self.filled.add(table)
                yield self.insert(table).replace(identifier(self.name), identifier(SOURCE))


def _others(contents: Contents) -> Iterator[str]:
    """Yield a packet for everything but tables, each with the session settings it was created in.

    Packets are separate because a definition may end with a comment.
    """
    ((mode,),) = rows(contents.connection, "SELECT @@GLOBAL.sql_mode")
    strict = ",".join(name for name in mode.split(",") if name in STRICT)
    for kind, name, row, statement in contents.others():
        client = row["character_set_client"]
        if not (statement.isascii() or client.startswith("utf8")):
            raise ServerError(f"the {kind.lower()} {name} was written in {client}")
        session = (
            f"SET character_set_client = {client},"
            f" collation_connection = {row['collation_connection']},"
            f" sql_mode = '{row.get('sql_mode', strict)}',"
            f" time_zone = '{row.get('time_zone', '+00:00')}'"
        )
        collation = row.get("Database Collation", contents.collation)
        if collation == contents.collation:
            yield f"{session};\n{statement}"
        else:
            collate = "ALTER DATABASE COLLATE"
            yield f"{collate} {collation};\n{session};\n{statement}"
            yield f"{collate} {contents.collation}"


def _whole(table: str, kind: str) -> str:
    """Return a table's name for FROM, so that a versioned table is read with its history."""
    return identifier(table) + (" FOR SYSTEM_TIME ALL" if kind == VERSIONED else "")


def _find(databases: Databases, schema: Schema, owner: Owner, key: str) -> str:
    """Return the name of the schema's template; make it if there is none."""
    theirs = databases.of(owner)
    lock = theirs.name(FIRST)  # lets one process at a time make the run's templates
    with databases.connected(f"no lock at {databases.login.address}") as connection:
        if rows(connection, "SELECT GET_LOCK(%s, %s)", lock, WAIT) != [(1,)]:
            raise ServerError(f"another process has been making the schema for {WAIT} s")
    try:
        number = FIRST
        while (found := _read(databases, theirs.name(number))) not in (None, key):
            number += 1
        if found is None:
            _make(theirs, number, schema, key)
        return theirs.name(number)
    finally:
        theirs.close()
        with databases.connected(f"no lock at {databases.login.address}") as connection:
            rows(connection, "DO RELEASE_LOCK(%s)", lock)


def _make(theirs: Databases, number: int, schema: Schema, key: str) -> None:
    name = theirs.create("a template", number).name
    try:
        schema.make(theirs.login, name)
        with theirs.connected(f"{name} is no template") as connection:
            view = f"{identifier(name)}.{MADE}"
            select = f"SELECT {connection.escape(key)} AS made"
            rows(connection, f"CREATE SQL SECURITY INVOKER VIEW {view} AS {select}")
    except BaseException:
        theirs.drop(name)
        raise


def _read(databases: Databases, name: str) -> str | None:
    """Return the key of a template's schema; None if it does not exist or is incomplete."""
    with databases.connected(f"{name} cannot be read") as connection:
        try:
            ((key,),) = rows(connection, f"SELECT made FROM {identifier(name)}.{MADE}")  # noqa: S608
        except pymysql.MySQLError as error:
            if error.args[0] not in ABSENT:
                raise
            return None
    return str(key)

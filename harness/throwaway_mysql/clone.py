"""Template databases: a schema is made once a run, and copied on the server."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.connections import patient, refused, rows
from throwaway_mysql.contents import SEQUENCE, SESSION, VERSIONED, Contents
from throwaway_mysql.databases import Database, Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.grants import identifier
from throwaway_mysql.owner import NUMBERS, Owner
from throwaway_mysql.schema import Schema, key_of

FIRST = NUMBERS // 2  # number of a run's first template; below are other databases
MADE = "throwaway_made"  # the view that marks a complete template, with the key of its schema
WAIT = 3000  # seconds for another process to make it
PACKET = 256 * 1024  # characters of statements that are sent at once
SOURCE = "\0template\0"  # stands for the database that rows come from; no SQL has a NUL
ABSENT = (1044, 1049, 1142, 1146)  # no such database or view, or none that this account may see
LEAVE = "USE information_schema"  # so that a drop does not end our own connection
STRICT = {"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES"}  # with it MySQL has other NULLs in views


class Template:
    """A database that is copied.

    `kinds` has the kind of each table, `columns` those by which its rows are copied; `filled`
    are tables with rows, `unsummed` those whose checksum says nothing about their rows. `problem`
    says why the database cannot be copied: each one is then made by its schema.
    """

    def __init__(self, databases: Databases, name: str, schema: Schema | None = None) -> None:
        self.databases, self.name, self.schema = databases, name, schema
        self.problem = ""
        self.columns: dict[str, list[str]] = {}
        self.kinds: dict[str, str] = {}
        self.filled: set[str] = set()
        self.unsummed: set[str] = set()
        self._packets: list[str] = []
        try:
            with databases.connected(f"{name} cannot be read") as connection:
                contents = Contents(connection, name)
                self.columns, self.kinds = contents.columns(), contents.tables
                statements = [*self._tables(contents), *self._others(contents)]
                self._packets = list(_packets(statements))
                rows(connection, LEAVE)
        except ServerError as error:
            self._give_up(error)

    @classmethod
    def make(cls, databases: Databases, schema: Schema, run_owner: Owner) -> "Template":
        """Return the run's template of a schema; the first process that needs it makes it.

        `run_owner` is the process that drops it at the end. A schema without a key (key_of) has
        a template in each process.
        """
        key = key_of(schema)
        owner, key = (run_owner, key) if key else (databases.owner, f"object {id(schema)}")
        if key not in databases.templates:
            name = _find(databases, schema, owner, key)
            databases.templates[key] = cls(databases, name, schema)
        template: Template = databases.templates[key]
        return template

    def copy(self, database: Database | str) -> None:
        """Give an empty database the schema and its rows."""
        name = database if isinstance(database, str) else database.name
        if not self.problem:
            try:
                with self.databases.connected(f"{self.name} cannot be copied") as connection:
                    self._copy(connection, name)
            except ServerError as error:
                self._give_up(error)
                self.databases.recreate(name)
            else:
                return
        if self.schema:
            self.schema.make(self.databases.login, name)

    def _copy(self, connection: "Connection[Cursor]", name: str) -> None:
        connection.select_db(name)
        with patient(connection), connection.cursor() as cursor:
            for packet in self._packets:
                text = packet.replace(self.name, name)
                cursor.execute(text.replace(SOURCE, self.name))
                while cursor.nextset():
                    pass

    def _give_up(self, error: ServerError) -> None:
        if not self.schema:
            raise error
        self.problem = str(error)

    def insert(self, table: str) -> str:
        """Return the statement that copies a table's rows from the template."""
        columns = ", ".join(map(identifier, self.columns[table]))
        source = f"{identifier(self.name)}.{_whole(table, self.kinds[table])}"
        return f"INSERT INTO {identifier(table)} ({columns}) SELECT {columns} FROM {source}"  # noqa: S608

    def _tables(self, contents: Contents) -> Iterator[str]:
        if contents.collation != self.databases.collation:
            yield f"ALTER DATABASE COLLATE {contents.collation}"
        for table, kind in contents.tables.items():
            statement = contents.table(table)
            # MySQL makes the checksum of an index on an array of addresses in memory.
            if kind == VERSIONED or " array)" in statement:
                self.unsummed.add(table)
            yield statement
        for table, kind in contents.tables.items():
            query = f"SELECT 1 FROM {_whole(table, kind)} LIMIT 1"  # noqa: S608
            if kind == SEQUENCE or (self.columns[table] and rows(contents.connection, query)):
                self.filled.add(table)
                yield self.insert(table).replace(identifier(self.name), identifier(SOURCE))

    def _others(self, contents: Contents) -> Iterator[str]:
        """Yield statements for all but tables, each in the session that it was created in."""
        ((mode,),) = rows(contents.connection, "SELECT @@GLOBAL.sql_mode")
        strict = ",".join(name for name in mode.split(",") if name in STRICT)
        now = contents.collation
        for kind, name, row, statement in contents.others():
            client = row["character_set_client"]
            if not (statement.isascii() or client.startswith("utf8")):
                raise ServerError(f"the {kind.lower()} {name} was written in {client}")
            if (collation := row.get("Database Collation", now)) != now:
                yield f"ALTER DATABASE COLLATE {collation}"
                now = collation
            yield (
                f"SET character_set_client = {client},"
                f" collation_connection = {row['collation_connection']},"
                f" sql_mode = '{row.get('sql_mode', strict)}',"
                f" time_zone = '{row.get('time_zone', '+00:00')}'"
            )
            yield statement
            if kind != "VIEW":
                yield ""  # a person's own text ends its packet: it may end with a comment
        if now != contents.collation:
            yield f"ALTER DATABASE COLLATE {contents.collation}"


def _whole(table: str, kind: str) -> str:
    """Name a table to be read with its history."""
    return identifier(table) + (" FOR SYSTEM_TIME ALL" if kind == VERSIONED else "")


def _packets(statements: Sequence[str]) -> Iterator[str]:
    """Join statements to packets; an empty one ends its packet."""
    packet = [SESSION]
    for statement in (*statements, SESSION, LEAVE):
        if packet and (not statement or sum(map(len, packet)) + len(statement) > PACKET):
            yield ";\n".join(packet)
            packet = []
        if statement:
            packet.append(statement)
    yield ";\n".join(packet)


def _find(databases: Databases, schema: Schema, owner: Owner, key: str) -> str:
    """Return the name of the schema's template; make it if there is none."""
    theirs = databases.of(owner)
    with _locked(databases, theirs.name(FIRST)):
        for number in itertools.count(FIRST):
            name = theirs.name(number)
            found = _read(databases, name)
            if found == key:
                return name
            if found is None:
                break
        _make(theirs, number, schema, key)
    return name


def _make(theirs: Databases, number: int, schema: Schema, key: str) -> None:
    name = theirs.name(number)
    theirs.purposes[name] = "a template"
    theirs.recreate(name)  # a killed process may have left it incomplete
    try:
        schema.make(theirs.login, name)
        with theirs.connected(f"{name} is no template") as connection:
            view = f"{identifier(name)}.{MADE}"
            select = f"SELECT {connection.escape(key)} AS made"
            rows(connection, f"CREATE SQL SECURITY INVOKER VIEW {view} AS {select}")
    except BaseException:
        theirs.drop(name)
        raise
    finally:
        theirs.close()


@contextmanager
def _locked(databases: Databases, name: str) -> Iterator[None]:
    """Let one process at a time make the run's templates."""
    with refused(f"no lock at {databases.login.address}"):
        connection = databases.login.connect(WAIT + 60)
        ((got,),) = rows(connection, "SELECT GET_LOCK(%s, %s)", name, WAIT)
    with connection:
        if got != 1:
            raise ServerError(f"another process has been making the schema for {WAIT} s")
        yield


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

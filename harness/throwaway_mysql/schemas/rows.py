"""The statements that put a table's rows into a copy of it, byte by byte."""

import re
from collections.abc import Iterator, Sequence

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor, SSCursor

from throwaway_mysql.accounts import identifier
from throwaway_mysql.schemas.ddl import CloneError

BATCH = 256 * 1024  # bytes of rows in one INSERT, unless one row alone is longer
TEXT = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "vector"}
NUMBERED = {"enum", "set"}  # by number: an empty text may be a member or none
INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
TIMES = {"date", "datetime", "time", "timestamp", "year"}
AS_TEXT = {"inet4", "inet6", "uuid"}  # MariaDB's: their bytes are not in the order of their text
# Written as a text; JSON takes no binary one.
PLAIN = INTEGERS | TIMES | AS_TEXT | {"decimal", "float", "double", "json"}
ESCAPED = {
    b"\0": rb"\0",
    b"\n": rb"\n",
    b"\r": rb"\r",
    b"\x1a": rb"\Z",
    b"'": rb"\'",
    b'"': rb"\"",
    b"\\": rb"\\",
}
COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = %s AND COALESCE(generation_expression, '') = ''
"""
# All of a value, at any depth, that comes back from text as another type: MySQL's JSON takes
# DATE, TIME, DECIMAL, BLOB, ... (an UNSIGNED INTEGER stays the same number). JSON_TABLE is there
# since 8.0.4; MariaDB's JSON is text.
MORE_THAN_TEXT = """
SELECT '' FROM DUAL WHERE FALSE /*!80004 UNION ALL
(SELECT JSON_TYPE(found.v) FROM {table} AS one, JSON_TABLE(
  JSON_MERGE_PRESERVE(
    JSON_ARRAY(one.{column}),
    COALESCE(JSON_EXTRACT(one.{column}, '$**.*'), JSON_ARRAY()),
    COALESCE(JSON_EXTRACT(one.{column}, '$**[*]'), JSON_ARRAY())
  ),
  '$[*]' COLUMNS (v JSON PATH '$')
) AS found WHERE JSON_TYPE(found.v) NOT IN
('OBJECT', 'ARRAY', 'STRING', 'INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'BOOLEAN', 'NULL') LIMIT 1)
*/
"""
ORDER = "ORDER BY table_name, ordinal_position"


class Column:
    """A column that takes values: its name, how it is read, and how its values are written."""

    def __init__(self, name: str, kind: str) -> None:
        self.name, self.kind = identifier(name), kind
        self.bare = kind in NUMBERED
        self.before = b"'" if kind in PLAIN else b"_binary'"
        self.read = self.name
        if kind in NUMBERED:
            self.read = f"CAST({self.name} AS UNSIGNED)"
        elif kind in TEXT:
            self.read = f"CAST({self.name} AS BINARY)"
        elif kind in AS_TEXT:
            self.read = f"CAST({self.name} AS CHAR)"
        elif kind == "float":  # as it is, and not as six digits
            self.read = f"{self.name} + 0e0"

    def literal(self, value: bytes | None) -> bytes:
        """Return a value as SQL."""
        if value is None:
            return b"NULL"
        if self.bare:
            return value
        return self.before + escape(value) + b"'"


def escape(value: bytes) -> bytes:
    """Escape what ends or changes a literal."""
    return re.sub(rb"[\0\n\r\x1a'\"\\]", lambda match: ESCAPED[match[0]], value)


def inserts(connection: "Connection[Cursor]", database: str, table: str) -> Iterator[bytes]:
    """Yield INSERT statements of about BATCH bytes."""
    columns = columns_of(connection, database, table).get(table)
    if not columns:
        raise CloneError(f"the table {table} has no column to write")
    for column in columns:
        if column.kind == "json":
            _check_json(connection, table, column)
    head = f"INSERT INTO {identifier(table)} ({', '.join(column.name for column in columns)}) "
    begin = head.encode() + b"VALUES "
    batch: list[bytes] = []
    size = 0
    for row in _read(connection, table, columns):
        values = b"(%s)" % b",".join(
            column.literal(value) for column, value in zip(columns, row, strict=True)
        )
        if batch and size + len(values) > BATCH:
            yield begin + b",".join(batch)
            batch, size = [], 0
        batch.append(values)
        size += len(values)
    if batch:
        yield begin + b",".join(batch)


def _check_json(connection: "Connection[Cursor]", table: str, column: Column) -> None:
    """Raise CloneError where a value's text does not tell all of it."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(MORE_THAN_TEXT.format(table=identifier(table), column=column.name))
        except pymysql.MySQLError as error:
            raise CloneError(f"JSON in the table {table}: {error.args[-1]}") from None
        for (kind,) in cursor.fetchall():
            raise CloneError(
                f"the table {table} has JSON with a {kind}, which its text does not tell"
            )


def columns_of(
    connection: "Connection[Cursor]", database: str, table: str = ""
) -> dict[str, list[Column]]:
    """Return the columns that take values, of each table, or of one; no table without any."""
    columns: dict[str, list[Column]] = {}
    with connection.cursor() as cursor:
        if table:
            cursor.execute(f"{COLUMNS} AND table_name = %s {ORDER}", (database, table))
        else:
            cursor.execute(f"{COLUMNS} {ORDER}", (database,))
        for of, name, kind in cursor.fetchall():
            columns.setdefault(of, []).append(Column(name, kind.lower()))
    return columns


def _read(
    connection: "Connection[Cursor]", table: str, columns: Sequence[Column]
) -> Iterator[Sequence[bytes | None]]:
    """Yield the rows as the server sends them, nothing converted."""
    query = f"SELECT {', '.join(column.read for column in columns)} FROM {identifier(table)}"  # noqa: S608
    decoders, connection.decoders = connection.decoders, {}
    connection.use_unicode = False
    try:
        with connection.cursor(SSCursor) as cursor:
            cursor.execute(query)
            yield from cursor
    finally:
        connection.decoders = decoders
        connection.use_unicode = True

"""Checksums of tables, which are others after any change of their rows."""

from collections.abc import Sequence
from typing import Any

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.accounts import identifier
from throwaway_mysql.schemas.rows import AS_TEXT, INTEGERS, NUMBERED, TIMES, Column, columns_of

# Of one length, whatever the value.
FIXED = (
    INTEGERS
    | TIMES
    | AS_TEXT
    | NUMBERED
    | {"decimal", "float", "double", "char", "binary", "bit", "boolean"}
)


class Checksums:
    """What is asked for the checksums of some tables of the connection's database.

    CHECKSUM TABLE joins neighbouring texts: to it ('Ada', 'Lovelace') is ('AdaLove', 'lace'). So
    a table with several columns of any length is hashed by a query of its own.
    """

    def __init__(
        self, connection: "Connection[Cursor]", database: str, tables: Sequence[str]
    ) -> None:
        self._connection = connection
        self._tables = tables
        columns = columns_of(connection, database)
        self._queries = {
            table: _query(table, columns[table])
            for table in tables
            if sum(column.kind not in FIXED for column in columns.get(table, ())) > 1
        }

    def read(self) -> dict[str, str]:
        """Return the checksum of each table."""
        plain = [table for table in self._tables if table not in self._queries]
        found: dict[str, str] = {}
        if plain:
            told = self._ask(f"CHECKSUM TABLE {', '.join(map(identifier, plain))}")
            found.update(zip(plain, [str(checksum) for _, checksum in told], strict=True))
        if self._queries:
            told = self._ask(" UNION ALL ".join(self._queries.values()))
            sums = [f"{count} {total}" for count, total in told]
            found.update(zip(self._queries, sums, strict=True))
        return found

    def _ask(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()


def _query(table: str, columns: Sequence[Column]) -> str:
    """Count the rows, and add up 60 bits of a hash of each: a row may be there twice.

    A row is hashed by the hashes of its values, which have one length, and '-' for NULL.
    """
    values = ", ".join(f"COALESCE(SHA2({column.read}, 256), '-')" for column in columns)
    number = f"CAST(CONV(LEFT(SHA2(CONCAT({values}), 256), 15), 16, 10) AS UNSIGNED)"
    return f"SELECT COUNT(*), SUM({number}) FROM {identifier(table)}"  # noqa: S608

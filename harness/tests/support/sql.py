"""Run tests' SQL, each time on a new connection."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pymysql.cursors import DictCursor

from throwaway_mysql.grants import identifier
from throwaway_mysql.login import Login

HERE = Path(__file__).parent.parent


def run(login: Login, database: str, *statements: str) -> list[tuple[Any, ...]]:
    """Execute statements in a database; return the rows of the last."""
    there = replace(login, database=database)
    with there.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def rows_of(login: Login, database: str) -> dict[str, Any]:
    """Return the rows of each table of a database, each value as the bytes that it is."""
    with (
        replace(login, database=database).connect() as connection,
        connection.cursor(DictCursor) as cursor,
    ):
        cursor.execute("SHOW FULL TABLES WHERE table_type <> 'VIEW'")
        found = [tuple(row.values()) for row in cursor.fetchall()]
        cursor.execute("SET NAMES binary")
        connection.use_unicode = False
        connection.decoders = {}
        rows: dict[str, Any] = {}
        for name, kind in found:
            history = " FOR SYSTEM_TIME ALL" if kind == "SYSTEM VERSIONED" else ""
            columns = "*, row_start, row_end" if name == "versioned" else "*"
            cursor.execute(f"SELECT {columns} FROM {identifier(name)}{history}")  # noqa: S608
            rows[name] = list(cursor.fetchall())
    return rows


def zoo(login: Login, database: str) -> None:
    """Make one of everything that a schema may contain."""
    there = replace(login, database=database)
    with there.connect() as connection, connection.cursor() as cursor:
        family = "mariadb" if is_mariadb(login) else "mysql"
        for file in ("zoo.sql", f"zoo_{family}.sql"):
            for statement in (HERE / file).read_text().split("\n;;\n"):
                cursor.execute(statement)
        every = bytes(range(256))
        for value in (every, b"", None, every * 3000):
            cursor.execute("INSERT INTO every_type (lb) VALUES (%s)", (value,))
        cursor.execute("INSERT INTO every_type (vb) VALUES (%s)", (every,))


def is_mariadb(login: Login) -> bool:
    """Return a server's family."""
    with login.connect() as connection:
        return "MariaDB" in connection.get_server_info()  # type: ignore[no-untyped-call]

"""What makes two schemas the same: all of a database that information_schema tells of."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.schemas.kinds import KINDS, Kind

# Also for what writes a schema, so that both see the same. MariaDB skips the comment; without
# what it says MySQL tells AUTO_INCREMENT as it was up to a day ago.
SESSION = (
    "SET NAMES utf8mb4, time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, "
    "sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION' "
    "/*!80000 , information_schema_stats_expiry = 0 */"
)
LACKING = {1054, 1109}  # unknown column, unknown table
POSITION = "NULLIF(auto_increment, 1)"  # MySQL says 1 or NULL before the first row


def lines(connection: "Connection[Cursor]", database: str, *, positions: bool = False) -> list[str]:
    """Return a JSON array for each object of a database, sorted; its name stands as `{database}`.

    With `positions` also where each AUTO_INCREMENT stands. The connection must allow several
    statements in a packet; its session is changed (SESSION).
    """
    try:
        found = _ask(connection, database, positions, KINDS)
    except pymysql.MySQLError as error:
        if error.args[0] not in LACKING:
            raise
        found = _ask(connection, database, positions, _known(connection))
    return sorted(line.replace(database, "{database}") for line in found)


def digest(told: Sequence[str]) -> str:
    """Return the SHA-256 of what `lines` told."""
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def differences(before: Sequence[str], after: Sequence[str], most: int = 5) -> str:
    """Say in one line what of `before` is gone and what of `after` is new; empty where equal."""
    gone, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
    said = [f"gone: {line}" for line in gone] + [f"new: {line}" for line in new]
    more = [f"and {len(said) - most} more"] if len(said) > most else []
    return "; ".join(said[:most] + more)


def _ask(
    connection: "Connection[Cursor]",
    database: str,
    positions: bool,  # noqa: FBT001
    kinds: Iterable[Kind],
) -> list[str]:
    name = connection.escape(database)
    mariadb = "MariaDB" in connection.get_server_info()  # type: ignore[no-untyped-call]
    found: list[str] = []
    with connection.cursor() as cursor:
        selects = [_select(kind, name, mariadb, positions) for kind in kinds]
        cursor.execute(";".join([SESSION, *selects]))
        while cursor.nextset():
            found += [str(line) for (line,) in cursor.fetchall()]
    return found


def _select(kind: Kind, database: str, mariadb: bool, positions: bool) -> str:  # noqa: FBT001
    columns = [kind.columns, *(kind.mariadb if mariadb else kind.mysql)]
    if kind.name == "table" and positions:
        columns.append(POSITION)
    return (
        f"SELECT JSON_ARRAY('{kind.name}', {', '.join(columns)}) "  # noqa: S608
        f"FROM information_schema.{kind.table} WHERE {kind.schema} = {database}{kind.where}"
    )


def _known(connection: "Connection[Cursor]") -> list[Kind]:
    """Return the kinds, without what this server does not have."""
    query = (
        "SELECT LOWER(table_name), LOWER(column_name) FROM information_schema.columns "
        "WHERE table_schema = 'information_schema'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        columns = set(cursor.fetchall())
    tables = {table for table, _ in columns}
    return [
        kind._replace(
            mysql=tuple(name for name in kind.mysql if (kind.table, name) in columns),
            mariadb=tuple(name for name in kind.mariadb if (kind.table, name) in columns),
        )
        for kind in KINDS
        if kind.table in tables
    ]

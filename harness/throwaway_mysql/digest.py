"""What makes two schemas the same: all of a database that information_schema tells of.

The columns are those that both servers have, and a few of each one's own; see the chapters
"INFORMATION_SCHEMA Tables" of MySQL's manual and "Information Schema Tables" of MariaDB's.
Times, counts of rows, and when an event first runs are left out: they differ each time.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pymysql.connections import Connection
from pymysql.cursors import Cursor

MARKER = "throwaway_mysql"  # the view that tells whose the database is: no part of a schema
# Also for what writes a schema, so that both see the same. MariaDB skips the comment; without
# what it says MySQL tells AUTO_INCREMENT as it was up to a day ago.
SESSION = (
    "SET NAMES utf8mb4, time_zone = '+00:00', foreign_key_checks = 0, unique_checks = 0, "
    "sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION' "
    "/*!80000 , information_schema_stats_expiry = 0 */"
)
POSITION = "NULLIF(auto_increment, 1)"  # MySQL says 1 or NULL before the first row
DEFINER = "IF(definer = CURRENT_USER(), '', definer)"
BORN = "character_set_client, collation_connection, database_collation"


class Kind(NamedTuple):
    """A kind of object: where it is told of, and what of it, on both servers and on either."""

    name: str
    table: str
    schema: str  # the column by which the server finds a database without reading them all
    columns: str
    mysql: str = ""
    mariadb: str = ""
    where: str = ""


KINDS = (
    Kind(
        "database",
        "schemata",
        "schema_name",
        "default_character_set_name, default_collation_name",
    ),
    Kind(
        "table",
        "tables",
        "table_schema",
        "table_name, table_type, engine, row_format, table_collation, create_options, "
        "table_comment",
        where=f" AND table_name <> '{MARKER}'",
    ),
    Kind(
        "column",
        "columns",
        "table_schema",
        "table_name, column_name, ordinal_position, column_default, is_nullable, column_type, "
        "character_set_name, collation_name, extra, column_comment, generation_expression",
        mysql=", srs_id",
        where=f" AND table_name <> '{MARKER}'",
    ),
    Kind(
        "index",
        "statistics",
        "table_schema",
        "table_name, index_name, seq_in_index, column_name, non_unique, collation, sub_part, "
        "index_type, index_comment",
        mysql=", expression, is_visible",
        mariadb=", ignored",
    ),
    Kind(
        "key",
        "key_column_usage",
        "table_schema",
        "table_name, constraint_name, ordinal_position, column_name, referenced_table_schema, "
        "referenced_table_name, referenced_column_name",
    ),
    Kind(
        "constraint",
        "table_constraints",
        "table_schema",
        "table_name, constraint_name, constraint_type",
        mysql=", enforced",
    ),
    Kind(
        "foreign key",
        "referential_constraints",
        "constraint_schema",
        "table_name, constraint_name, referenced_table_name, match_option, update_rule, "
        "delete_rule",
    ),
    Kind(
        "check",
        "check_constraints",
        "constraint_schema",
        "constraint_name, check_clause",
        mariadb=", table_name",
    ),
    Kind(
        "partition",
        "partitions",
        "table_schema",
        "table_name, partition_ordinal_position, subpartition_ordinal_position, "
        "partition_name, subpartition_name, partition_method, subpartition_method, "
        "partition_expression, subpartition_expression, partition_description, "
        "partition_comment",
        where=" AND partition_name IS NOT NULL",
    ),
    Kind(
        "view",
        "views",
        "table_schema",
        f"table_name, view_definition, check_option, security_type, {DEFINER}, "
        "character_set_client, collation_connection",
        mariadb=", algorithm",
        where=f" AND table_name <> '{MARKER}'",
    ),
    Kind(
        "trigger",
        "triggers",
        "event_object_schema",
        "trigger_name, event_object_table, action_timing, event_manipulation, action_order, "
        f"action_statement, sql_mode, {DEFINER}, {BORN}",
    ),
    Kind(
        "routine",
        "routines",
        "routine_schema",
        "routine_name, routine_type, dtd_identifier, routine_definition, is_deterministic, "
        f"sql_data_access, security_type, sql_mode, routine_comment, {DEFINER}, {BORN}",
    ),
    Kind(
        "parameter",
        "parameters",
        "specific_schema",
        "specific_name, routine_type, ordinal_position, parameter_mode, parameter_name, "
        "dtd_identifier, character_set_name, collation_name",
    ),
    Kind(
        "event",
        "events",
        "event_schema",
        "event_name, time_zone, event_definition, event_type, "
        "CONCAT(interval_value, ' ', interval_field), starts IS NULL, ends IS NULL, status, "
        f"on_completion, event_comment, sql_mode, {DEFINER}, {BORN}",
    ),
)


def lines(connection: "Connection[Cursor]", database: str, *, positions: bool = False) -> list[str]:
    """Return a JSON array for each object of a database, sorted; its name stands as `{database}`.

    With `positions` also where each AUTO_INCREMENT stands. The connection must allow several
    statements in a packet; its session is changed (SESSION).
    """
    name = connection.escape(database)
    mariadb = "MariaDB" in connection.get_server_info()  # type: ignore[no-untyped-call]
    with connection.cursor() as cursor:
        cursor.execute(
            ";".join([SESSION, *(_select(kind, name, mariadb, positions) for kind in KINDS)])
        )
        found: list[str] = []
        while cursor.nextset():
            found += [str(line) for (line,) in cursor.fetchall()]
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


def _select(kind: Kind, database: str, mariadb: bool, positions: bool) -> str:  # noqa: FBT001
    columns = kind.columns + (kind.mariadb if mariadb else kind.mysql)
    if kind.name == "table" and positions:
        columns += f", {POSITION}"
    return (
        f"SELECT JSON_ARRAY('{kind.name}', {columns}) FROM information_schema.{kind.table} "  # noqa: S608
        f"WHERE {kind.schema} = {database}{kind.where}"
    )

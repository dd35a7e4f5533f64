"""The kinds of objects that a database has, and where information_schema tells of them.

The columns are those that both servers have, and a few of each one's own; see the chapters
"INFORMATION_SCHEMA Tables" of MySQL's manual and "Information Schema Tables" of MariaDB's.
Times, counts of rows, and when an event first runs are left out: they differ each time.
"""

from typing import NamedTuple

from throwaway_mysql.databases.marker import VIEW

DEFINER = "IF(definer = CURRENT_USER(), '', definer)"
BORN = "character_set_client, collation_connection, database_collation"

# Without the brackets that servers put around the joins of a view when they read their own wording.
UNBRACKETED = "REPLACE(REPLACE(view_definition, '(', ''), ')', '')"


class Kind(NamedTuple):
    """A kind of object: where it is told of, and what of it, on both servers and on either.

    Older servers lack some of the tables, and of the columns that only one server has.
    """

    name: str
    table: str
    schema: str  # the column by which the server finds a database without reading them all
    columns: str
    mysql: tuple[str, ...] = ()
    mariadb: tuple[str, ...] = ()
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
        where=f" AND table_name <> '{VIEW}'",
    ),
    Kind(
        "column",
        "columns",
        "table_schema",
        "table_name, column_name, ordinal_position, column_default, is_nullable, column_type, "
        "character_set_name, collation_name, extra, column_comment, generation_expression",
        mysql=("srs_id",),
        where=f" AND table_name <> '{VIEW}'",
    ),
    Kind(
        "index",
        "statistics",
        "table_schema",
        "table_name, index_name, seq_in_index, column_name, non_unique, collation, sub_part, "
        "index_type, index_comment",
        mysql=("expression", "is_visible"),
        mariadb=("ignored",),
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
        mysql=("enforced",),
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
        mariadb=("table_name",),
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
        f"table_name, {UNBRACKETED}, check_option, security_type, {DEFINER}, "
        "character_set_client, collation_connection",
        mariadb=("algorithm",),
        where=f" AND table_name <> '{VIEW}'",
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

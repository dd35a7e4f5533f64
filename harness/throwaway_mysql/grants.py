"""The accounts of a new server: root, and one for a database and its throwaway siblings."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor


def identifier(name: str) -> str:
    """Return `name` quoted as an identifier."""
    return f"`{name.replace('`', '``')}`"


def throwaway_prefix(database: str) -> str:
    """Return the prefix of the throwaway databases that belong to `database`.

    `Shop-2` has `shop_2_test_`. A prefix has at most 30 characters: a to z, digits and `_`.
    """
    return f"{re.sub('[^a-z0-9]', '_', database.lower())[:24]}_test_"


def first_statements(password: str) -> str:
    """Return the SQL that gives root a password before the server lets anyone in."""
    literal = password.replace("\\", r"\\").replace("'", r"\'")
    return f"SET NAMES utf8mb4;\nALTER USER 'root'@'localhost' IDENTIFIED BY '{literal}';\n"


def set_up(connection: "Connection[Cursor]", database: str, user: str, password: str) -> None:
    """Create the database and the user, or give an existing user this password.

    The user may do everything in the database and in its throwaway siblings (throwaway_prefix),
    and nothing elsewhere. Raises ServerError where the server refuses.
    """
    from throwaway_mysql.connections import refused, rows  # only now, with the driver

    patterns = [_literally(database), _literally(throwaway_prefix(database)) + "%"]
    with refused(f"the server refused to set up {database} for {user}"):
        # Without values a statement is sent as it is; with them, %% becomes %.
        rows(
            connection,
            f"CREATE DATABASE IF NOT EXISTS {identifier(database)} CHARACTER SET utf8mb4",
        )
        rows(connection, "CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", user, password)
        rows(connection, "ALTER USER %s@'%%' IDENTIFIED BY %s", user, password)
        for pattern in patterns:
            name = identifier(pattern).replace("%", "%%")
            rows(connection, f"GRANT ALL ON {name}.* TO %s@'%%'", user)


def _literally(name: str) -> str:
    """Escape the wildcards that a database's name has in GRANT."""
    return name.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%")

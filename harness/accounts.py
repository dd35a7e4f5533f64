"""The database and the account that an application needs on a server."""

from pymysql.connections import Connection
from pymysql.cursors import Cursor


def identifier(name: str) -> str:
    """Return `name` quoted as an identifier."""
    return f"`{name.replace('`', '``')}`"


def throwaway_prefix(database: str) -> str:
    """Return how the names of the throwaway databases beside `database` begin (48 characters)."""
    return f"{database[:42]}_test_"


def set_root_password(connection: "Connection[Cursor]", password: str) -> None:
    """Give a new server's root a password, and leave only the root of this machine."""
    with connection.cursor() as cursor:
        # MariaDB makes a root without a password for each loopback address.
        cursor.execute("SELECT host FROM mysql.user WHERE user = 'root' AND host <> 'localhost'")
        for (host,) in cursor.fetchall():
            cursor.execute("DROP USER 'root'@%s", (host,))
        cursor.execute("ALTER USER 'root'@'localhost' IDENTIFIED BY %s", (password,))


def set_up(connection: "Connection[Cursor]", database: str, user: str, password: str) -> None:
    """Create the database and the user, or give an existing user this password.

    The user may do everything in the database and in its throwaway siblings
    `<database>_test_...`, and nothing elsewhere.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE DATABASE IF NOT EXISTS {identifier(database)} CHARACTER SET utf8mb4"
        )
        cursor.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", (user, password))
        cursor.execute("ALTER USER %s@'%%' IDENTIFIED BY %s", (user, password))
        for name in (_literally(database), _literally(throwaway_prefix(database)) + "%"):
            # The doubled sign reaches the server as one: the driver formats the statement.
            pattern = identifier(name).replace("%", "%%")
            cursor.execute(f"GRANT ALL ON {pattern}.* TO %s@'%%'", (user,))


def _literally(name: str) -> str:
    """Escape the wildcards that a database's name has in GRANT."""
    return name.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%")

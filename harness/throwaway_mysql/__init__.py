"""Throwaway MySQL and MariaDB for tests, and a private server for development.

The package stands alone: it knows nothing of the application. What it needs is PyMySQL, and where
that is said pytest, Alembic or SQLAlchemy. What a project's conftest.py needs can be imported from
here, and is loaded only then. Each module is built on those that are named before it:

    masked           secrets, and mappings with them, that a report may show
    cache            the user's folder for what takes long to make
    login            an account at an address, and what it meets there
    accounts         what a new server is given: a password for root, a database, an account of that
    servers/         server programs: found, laid out, started, guarded, shared by a run
    databases/       throwaway databases: whose they are, made, dropped, swept
    schemas/         what makes a schema, what that is made of, and its copies
    migration_tests  tests for a project to import; needs pytest, Alembic and SQLAlchemy
    plugin/          the pytest plugin: options and fixtures
    testing/         what tests of servers and of whole runs use
    cli              the command throwaway-mysql
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from throwaway_mysql.accounts import throwaway_prefix
    from throwaway_mysql.databases.database import Coordinates as Database
    from throwaway_mysql.databases.database import throwaway_database
    from throwaway_mysql.login import Login
    from throwaway_mysql.schemas.alembic_project import AlembicProject
    from throwaway_mysql.schemas.schema import AlembicSchema, CallableSchema, Schema
    from throwaway_mysql.servers.port import free_port
    from throwaway_mysql.servers.run import RunServer as Server
    from throwaway_mysql.tls import Tls

__all__ = [
    "AlembicProject",
    "AlembicSchema",
    "CallableSchema",
    "Database",
    "LoggedError",
    "Login",
    "Schema",
    "Server",
    "ServerError",
    "Tls",
    "free_port",
    "throwaway_database",
    "throwaway_prefix",
]
# Where each is that is imported late, and its name there where that is another.
_WHERE = {
    "AlembicProject": "schemas.alembic_project",
    "AlembicSchema": "schemas.schema",
    "CallableSchema": "schemas.schema",
    "Database": "databases.database.Coordinates",
    "Login": "login",
    "Schema": "schemas.schema",
    "Server": "servers.run.RunServer",
    "Tls": "tls",
    "free_port": "servers.port",
    "throwaway_database": "databases.database",
    "throwaway_prefix": "accounts",
}


class ServerError(RuntimeError):
    """Something is wrong with a server; the message is one line that says what to do."""


class LoggedError(ServerError):
    """Something is wrong of which a log, at the path `log`, tells more than `what`."""

    def __init__(self, what: str, log: object) -> None:
        super().__init__(f"{what} ({log})")
        self.what = what


def __getattr__(name: str) -> object:
    """Import a name of __all__ from its module: PEP 562."""
    if name not in _WHERE:
        raise AttributeError(f"module 'throwaway_mysql' has no attribute '{name}'")
    module, _, other = _WHERE[name].rpartition(".")
    if not other[0].isupper():
        module, other = _WHERE[name], name
    return getattr(import_module(f"throwaway_mysql.{module}"), other)

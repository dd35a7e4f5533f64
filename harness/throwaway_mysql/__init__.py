"""Throwaway MySQL and MariaDB databases for pytest, without Docker.

These names are the public API. Each is imported on first use (PEP 562), because pytest loads the
plugin, and so this package, in every run.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from throwaway_mysql.databases import Database, Databases, throwaway_database
    from throwaway_mysql.errors import ServerError
    from throwaway_mysql.grants import throwaway_prefix
    from throwaway_mysql.login import Login
    from throwaway_mysql.migrations import AlembicProject
    from throwaway_mysql.schema import AlembicSchema, CallableSchema, Schema, SqlSchema
    from throwaway_mysql.server import Server, free_port
    from throwaway_mysql.tls import Tls

_MODULES = {
    "AlembicProject": "migrations",
    "AlembicSchema": "schema",
    "CallableSchema": "schema",
    "Database": "databases",
    "Databases": "databases",
    "Login": "login",
    "Schema": "schema",
    "Server": "server",
    "ServerError": "errors",
    "SqlSchema": "schema",
    "Tls": "tls",
    "free_port": "server",
    "throwaway_database": "databases",
    "throwaway_prefix": "grants",
}
__all__ = [
    "AlembicProject",
    "AlembicSchema",
    "CallableSchema",
    "Database",
    "Databases",
    "Login",
    "Schema",
    "Server",
    "ServerError",
    "SqlSchema",
    "Tls",
    "free_port",
    "throwaway_database",
    "throwaway_prefix",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'throwaway_mysql' has no attribute '{name}'")
    return getattr(import_module(f"throwaway_mysql.{_MODULES[name]}"), name)

"""Databases that exist for one test module and are dropped after it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import identifier, throwaway_prefix
from throwaway_mysql.login import Login
from throwaway_mysql.masked import Masked

LOCK_WAIT = 2  # seconds that DROP waits for a forgotten transaction; the servers' default is a day
LOCKED = 1205


class Coordinates(Masked):
    """Settings that lead to a database."""

    def environ(self) -> dict[str, str]:
        """Return the environment of a program that is to use this database."""
        names = ("DB_HOST", "DB_PORT", "DB_USERNAME", "DB_PASSWORD", "DATABASE_NAME")
        return {name: str(self[name]) for name in names}


@contextmanager
def throwaway_database(login: Login, database: str) -> Iterator[Coordinates]:
    """Create a database `<database>_test_...` that no other run has; drop it at the end.

    Yields DB_HOST, DB_PORT, DB_USERNAME, DB_PASSWORD, DATABASE_NAME and DB_URI, the
    server's URL without a database. Raises ServerError where the login fails.
    """
    name = f"{throwaway_prefix(database)}{os.getpid()}_{secrets.token_hex(4)}"  # at most 64 signs
    ours = True
    try:
        try:
            with login.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {identifier(name)} CHARACTER SET utf8mb4")
        except (ServerError, pymysql.MySQLError):  # but not Ctrl-C, after which it may be there
            ours = False
            raise
        yield Coordinates(
            DB_HOST=login.host,
            DB_PORT=login.port,
            DB_USERNAME=login.user,
            DB_PASSWORD=login.password,
            DATABASE_NAME=name,
            DB_URI=login.url(),
        )
    finally:
        if ours:
            drop(login, name)


def drop(login: Login, name: str) -> None:
    """Drop a database, ending connections that still hold locks in it."""
    statement = f"DROP DATABASE IF EXISTS {identifier(name)}"
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION lock_wait_timeout = %s", (LOCK_WAIT,))
        try:
            cursor.execute(statement)
        except pymysql.OperationalError as error:
            if error.args[0] != LOCKED:
                raise
            cursor.execute("SHOW PROCESSLIST")
            users = [row[0] for row in cursor.fetchall() if row[3] == name]
            for process in users:
                cursor.execute("KILL %s", (process,))
            cursor.execute(statement)

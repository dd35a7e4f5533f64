"""SQLAlchemy's engines on a database. SQLAlchemy and the driver are imported where one is made."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from throwaway_mysql import ServerError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Dialect, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from throwaway_mysql.databases.database import Coordinates

ASYNC = ("aiomysql", "asyncmy")
COMMITTED = (
    "db_connection was committed: use a session or begin_nested() that joins its transaction"
)
ENDED = (
    "a statement ended db_connection's transaction, as DDL (CREATE TABLE, TRUNCATE) does by a "
    "commit: use db_engine, with mysql_isolation = delete, or mysql_database = test for new tables"
)
DRIVERS = ("pymysql", *ASYNC, "mysqldb")
SAVEPOINT = "throwaway_mysql"
NO_SAVEPOINT = 1305  # ER_SP_DOES_NOT_EXIST


def new_engine(coordinates: "Coordinates", driver: str) -> "Engine | AsyncEngine":
    """Return an engine without a pool, so that it holds nothing and works in any event loop.

    It is an AsyncEngine for the drivers of ASYNC. Raises ServerError where a package is missing.
    """
    from throwaway_mysql.masked import Hidden

    arguments = coordinates.login.encryption.arguments(driver)
    try:
        from sqlalchemy import make_url
        from sqlalchemy.pool import NullPool

        if driver in ASYNC:
            import_module("greenlet")  # SQLAlchemy 2.0 misses it only when it connects
            from sqlalchemy.ext.asyncio import create_async_engine as create
        else:
            from sqlalchemy import create_engine as create  # type: ignore[assignment]  # a choice
        url = make_url(coordinates.url(driver))
        # SQLAlchemy makes a plain str of the URL's, and its frames show that of a failed connect.
        arguments["passwd" if driver == "mysqldb" else "password"] = Hidden(url.password or "")
        return _silent(create(url, poolclass=NullPool, connect_args=arguments))
    except ImportError as error:
        reason = str(error).splitlines()[0]
    packages = f"sqlalchemy[asyncio] {driver}" if driver in ASYNC else f"sqlalchemy {driver}"
    packages = packages.replace("mysqldb", "mysqlclient")
    raise ServerError(f"no engine for {driver} ({reason}): pip install {packages}")


def _silent(engine: "Engine | AsyncEngine") -> "Engine | AsyncEngine":
    from sqlalchemy import event

    event.listen(getattr(engine, "sync_engine", engine), "do_connect", _connect)
    return engine


def _connect(
    dialect: "Dialect", _record: Any, positional: Sequence[Any], named: dict[str, Any]
) -> "DBAPIConnection":
    """Connect as SQLAlchemy does, but raise errors without the driver's frames.

    They hold what is sent to the server, which may be the password.
    """
    try:
        return dialect.connect(*positional, **named)
    except dialect.loaded_dbapi.Error as error:
        failure = error
    failure.__cause__ = failure.__context__ = None
    raise failure.with_traceback(None)


@contextmanager
def rolled_back(engine: "Engine") -> "Iterator[Connection]":
    """Give the block a connection in a transaction that is rolled back at its end.

    Fails the test where anything was committed, be it by a statement such as CREATE TABLE.
    See SQLAlchemy's "Joining a Session into an External Transaction (such as for test suites)".
    """
    with engine.connect() as connection:
        problems = _watched(connection)
        connection.begin()
        yield connection
    _tell(problems)


@asynccontextmanager
async def rolled_back_async(engine: "AsyncEngine") -> "AsyncIterator[AsyncConnection]":
    """Do as rolled_back() in an event loop."""
    async with engine.connect() as connection:
        problems = _watched(connection.sync_connection)
        await connection.begin()
        yield connection
    _tell(problems)


def _watched(connection: "Connection | None") -> list[str]:
    """Return a list that is to have a line for each commit, by which a later test may see rows.

    A commit removes savepoints, on MySQL and on MariaDB, whoever asks for it.
    """
    from sqlalchemy import event

    problems: list[str] = []

    def ending(connection: "Connection") -> None:
        if not (connection.invalidated or _has(connection, "RELEASE SAVEPOINT")):
            problems.append(ENDED)

    event.listen(connection, "begin", lambda connection: _has(connection, "SAVEPOINT"))
    event.listen(connection, "rollback", ending)
    event.listen(connection, "commit", lambda _: problems.append(COMMITTED))
    return problems


def _has(connection: "Connection", do: str) -> bool:
    """Do something with the savepoint, unseen by SQLAlchemy; tell whether there was one."""
    try:
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(f"{do} {SAVEPOINT}")
    except connection.dialect.loaded_dbapi.Error as error:
        if error.args[:1] != (NO_SAVEPOINT,):
            raise
        return False
    return True


def _tell(problems: list[str]) -> None:
    if problems:
        pytest.fail(problems[0], pytrace=False)

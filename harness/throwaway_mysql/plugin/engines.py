"""SQLAlchemy's engines on a database. SQLAlchemy and the driver are imported where one is made."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
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
DRIVERS = ("pymysql", *ASYNC, "mysqldb")


def new_engine(coordinates: "Coordinates", driver: str) -> "Engine | AsyncEngine":
    """Return an engine without a pool, so that it holds nothing and works in any event loop.

    It is an AsyncEngine for the drivers of ASYNC. Raises ServerError where a package is missing.
    """
    from throwaway_mysql.login import LOOPBACK
    from throwaway_mysql.masked import Hidden

    # PyMySQL builds a TLS context for each connection, which takes longer than all the rest.
    near = driver == "pymysql" and coordinates["DB_HOST"] in LOOPBACK
    arguments: dict[str, Any] = {"ssl_disabled": True} if near else {}
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

    See SQLAlchemy's "Joining a Session into an External Transaction (such as for test suites)".
    """
    with engine.connect() as connection, _uncommitted(connection):
        connection.begin()
        yield connection


@asynccontextmanager
async def rolled_back_async(engine: "AsyncEngine") -> "AsyncIterator[AsyncConnection]":
    """Do as rolled_back() in an event loop."""
    async with engine.connect() as connection:
        with _uncommitted(connection.sync_connection):
            await connection.begin()
            yield connection


@contextmanager
def _uncommitted(connection: "Connection | None") -> "Iterator[None]":
    """Fail the test after whose block the next test may see what it has committed."""
    from sqlalchemy import event

    commits: list[object] = []
    event.listen(connection, "commit", commits.append)
    yield
    if commits:
        pytest.fail(COMMITTED, pytrace=False)

"""SQLAlchemy's engines on a database. SQLAlchemy and the driver are imported where one is made."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from throwaway_mysql import ServerError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from throwaway_mysql.databases.database import Coordinates

ASYNC = ("aiomysql", "asyncmy")
DRIVERS = ("pymysql", *ASYNC, "mysqldb")


def new_engine(coordinates: "Coordinates", driver: str) -> "Engine | AsyncEngine":
    """Return an engine without a pool, so that it holds nothing and works in any event loop.

    It is an AsyncEngine for the drivers of ASYNC. Raises ServerError where a package is missing.
    """
    from throwaway_mysql.login import LOOPBACK

    # PyMySQL builds a TLS context for each connection, which takes longer than all the rest.
    near = driver == "pymysql" and coordinates["DB_HOST"] in LOOPBACK
    arguments: dict[str, Any] = {"ssl_disabled": True} if near else {}
    try:
        from sqlalchemy.pool import NullPool

        if driver in ASYNC:
            import_module("greenlet")  # SQLAlchemy 2.0 misses it only when it connects
            from sqlalchemy.ext.asyncio import create_async_engine as create
        else:
            from sqlalchemy import create_engine as create  # type: ignore[assignment]  # a choice
        return create(coordinates.url(driver), poolclass=NullPool, connect_args=arguments)
    except ImportError as error:
        reason = str(error).splitlines()[0]
    packages = f"sqlalchemy[asyncio] {driver}" if driver in ASYNC else f"sqlalchemy {driver}"
    packages = packages.replace("mysqldb", "mysqlclient")
    raise ServerError(f"no engine for {driver} ({reason}): pip install {packages}")


@contextmanager
def rolled_back(engine: "Engine") -> "Iterator[Connection]":
    """Give the block a connection in a transaction that is rolled back at its end.

    See SQLAlchemy's "Joining a Session into an External Transaction (such as for test suites)".
    """
    with engine.connect() as connection:
        connection.begin()
        yield connection


@asynccontextmanager
async def rolled_back_async(engine: "AsyncEngine") -> "AsyncIterator[AsyncConnection]":
    """Do as rolled_back() in an event loop."""
    async with engine.connect() as connection:
        await connection.begin()
        yield connection

"""Engines, connections, the app and its client on a throwaway database, as fixtures.

A project overrides `mysql_app_factory`. What needs an event loop is made by one of two async
fixtures, this module's for anyio and that of `asyncio_fixtures`: see `loops`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from throwaway_mysql.plugin.engines import (
    ASYNC,
    DRIVERS,
    new_engine,
    rolled_back,
    rolled_back_async,
)
from throwaway_mysql.plugin.fixtures import database_scope
from throwaway_mysql.plugin.loops import in_loop, missing_await_told

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from throwaway_mysql.databases.database import Coordinates
    from throwaway_mysql.plugin.lifespan import State

    AppFactory = Callable[[Coordinates], Any]


def chosen_driver(config: pytest.Config) -> str:
    """Return the driver of `db_engine`: the ini option `mysql_driver`."""
    chosen = str(config.getini("mysql_driver"))
    if chosen not in DRIVERS:
        raise pytest.UsageError(
            f"mysql_driver is '{chosen}': it must be one of {', '.join(DRIVERS)}"
        )
    return chosen


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addini(
        "mysql_driver",
        default=DRIVERS[0],
        help=f"the driver of db_engine: {', '.join(DRIVERS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check what is set, and have fixtures for pytest-asyncio where that is."""
    chosen_driver(config)  # here, an error is one line
    if config.pluginmanager.has_plugin("asyncio"):
        from throwaway_mysql.plugin import asyncio_fixtures

        config.pluginmanager.register(asyncio_fixtures)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Tell of a test that forgot to be async, rather than let it find a coroutine."""
    with missing_await_told(item):
        return (yield)


@pytest.fixture(scope=database_scope)
def db_engine(pytestconfig: pytest.Config, create_db: Coordinates) -> Engine | AsyncEngine:
    """Make SQLAlchemy's engine on the database; each connection is a new one."""
    return new_engine(create_db, chosen_driver(pytestconfig))


@pytest.fixture
def db_connection(
    request: pytest.FixtureRequest, db_engine: Any
) -> Iterator[Connection | AsyncConnection]:
    """Connect for one test, in a transaction that is rolled back after it.

    The test ends with an error where it has committed anything, itself or by DDL.
    """
    if chosen_driver(request.config) in ASYNC:
        yield in_loop(request, "db_connection", "function")
        return
    with rolled_back(db_engine) as connection:
        yield connection


@pytest.fixture
async def _db_connection_by_anyio(
    anyio_backend: object,  # noqa: ARG001 (whose loop it is in)
    db_engine: AsyncEngine,
) -> AsyncIterator[AsyncConnection]:
    async with rolled_back_async(db_engine) as connection:
        yield connection


@pytest.fixture(scope="session")
def mysql_app_factory() -> AppFactory:
    """Return what makes the app, given the settings of its database."""
    pytest.fail("define a fixture mysql_app_factory that returns what makes the app", pytrace=False)


@pytest.fixture(scope=database_scope)
def mysql_app_state() -> State:
    """Return the state that an ASGI app's lifespan leaves for its requests."""
    return {}


@pytest.fixture(scope=database_scope)
def _mysql_app(mysql_app_factory: AppFactory, create_db: Coordinates) -> Any:
    return mysql_app_factory(create_db)


@pytest.fixture(scope=database_scope)
def create_test_app(request: pytest.FixtureRequest, _mysql_app: Any) -> Any:
    """Start the app on the database, in the tests' event loop; shut it down afterwards."""
    from throwaway_mysql.plugin.lifespan import is_asgi

    if is_asgi(_mysql_app):
        in_loop(request, "create_test_app", database_scope("", request.config))
    return _mysql_app


@pytest.fixture(scope=database_scope)
async def _create_test_app_by_anyio(
    anyio_backend: object,  # noqa: ARG001 (whose loop it is in)
    _mysql_app: Any,
    mysql_app_state: State,
) -> AsyncIterator[None]:
    from throwaway_mysql.plugin.lifespan import running

    async with running(_mysql_app, mysql_app_state):
        yield


@pytest.fixture(scope=database_scope)
def create_test_client(create_test_app: Any, mysql_app_state: State) -> Any:
    """Make a client of the app: its own `test_client()`, or httpx's of the app's kind."""
    print("Creating test client")
    if hasattr(create_test_app, "test_client"):
        return create_test_app.test_client()
    try:
        import httpx
    except ImportError:
        line = "create_test_client needs httpx for this app: pip install httpx"
        raise pytest.fail.Exception(line, pytrace=False) from None
    from throwaway_mysql.plugin.lifespan import WithState, is_asgi

    if not is_asgi(create_test_app):
        transport = httpx.WSGITransport(create_test_app)
        return httpx.Client(transport=transport, base_url="http://localhost")
    app = WithState(create_test_app, mysql_app_state)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")

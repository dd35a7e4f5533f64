"""Fixtures for the counter's tests: a counter for each test, queries, a batcher."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import Connection

from counter.testing import PatientBatcher, Query, running_batcher
from tests.support.databases import connected
from tests.support.proxy import Proxy
from throwaway_mysql import Database


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of a counter that no other test uses."""
    return f"test/{abs(hash(request.node.nodeid))}"


@pytest.fixture
def other_connection(create_db: Database) -> Iterator[Connection]:
    """Connect to the database directly, not through the batcher."""
    with connected(create_db) as connection:
        yield connection


@pytest.fixture
def query(other_connection: Connection) -> Query:
    """Return a function that queries the database for one value."""
    return lambda query: other_connection.exec_driver_sql(query).scalar()


@pytest.fixture
async def batcher(create_db: Database) -> AsyncIterator[PatientBatcher]:
    """Run a batcher on the database."""
    async with running_batcher(create_db) as batcher:
        yield batcher


@pytest.fixture
async def proxy(create_db: Database) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the database's server."""
    async with Proxy(create_db["DB_HOST"], create_db["DB_PORT"]).open() as proxy:
        yield proxy


@pytest.fixture
async def proxied(create_db: Database, proxy: Proxy) -> AsyncIterator[PatientBatcher]:
    """Run a batcher behind the proxy."""
    async with running_batcher(create_db, **proxy.address) as batcher:
        yield batcher

"""Fixtures for the counter's tests: a counter of their own, and queries beside the app."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from counter.testing import Query
from tests.support.databases import connected
from throwaway_mysql import Database


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a counter that no other test has."""
    return f"test/{abs(hash(request.node.nodeid))}"


@pytest.fixture
def other_connection(create_db: Database) -> Iterator[Connection]:
    """Connect to the database, not through the batcher."""
    with connected(create_db) as connection:
        yield connection


@pytest.fixture
def query(other_connection: Connection) -> Query:
    """Return a function that asks the database for one value."""
    return lambda query: other_connection.exec_driver_sql(query).scalar()

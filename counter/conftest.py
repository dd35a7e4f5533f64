"""What the tests here use: a counter of their own, and a look beside the app."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from counter.testing import Look
from testing import connected
from throwaway_mysql.databases.database import Coordinates


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a counter that no other test has."""
    return f"tally/{abs(hash(request.node.nodeid))}"


@pytest.fixture
def beside(create_db: Coordinates) -> Iterator[Connection]:
    """Connect to the database beside the tally."""
    with connected(create_db) as connection:
        yield connection


@pytest.fixture
def look(beside: Connection) -> Look:
    """Return a function that asks the database for one value."""
    return lambda query: beside.exec_driver_sql(query).scalar()

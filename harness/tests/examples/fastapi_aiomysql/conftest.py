"""The database of the tests, and the app on it."""

from pathlib import Path

import pytest

from app import create_app
from throwaway_mysql import AlembicSchema


@pytest.fixture(scope="session")
def mysql_prefix():
    return "guests_test_"


@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema(Path(__file__).with_name("alembic.ini"))


@pytest.fixture(scope="session")
def mysql_app_factory():
    return lambda database: create_app(database.url("aiomysql"))

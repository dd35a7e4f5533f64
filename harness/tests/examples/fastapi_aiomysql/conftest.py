"""The database of the tests, and the app on it."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import create_app
from throwaway_mysql import AlembicSchema


@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema(Path(__file__).with_name("alembic.ini"))


@pytest.fixture(scope="module")
def client(create_db):
    with TestClient(create_app(create_db.url("aiomysql"))) as client:
        yield client

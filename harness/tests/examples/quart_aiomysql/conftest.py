"""The database of the tests, and the app on it."""

import pytest
from sqlalchemy import create_engine

from app import create_app
from models import metadata
from throwaway_mysql import CallableSchema


def create_all(login, database):
    metadata.create_all(create_engine(login.url("pymysql", database)))


@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(create_all)


@pytest.fixture(scope="module")
async def client(create_db):
    async with create_app(create_db.url("aiomysql")).test_app() as app:
        yield app.test_client()

"""The database of the tests, and the app on it."""

from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.orm import Session

from app import create_app
from throwaway_mysql import SqlSchema


@pytest.fixture(scope="session")
def mysql_schema():
    return SqlSchema(Path(__file__).with_name("schema.sql"))


@pytest.fixture(scope="module")
def client(create_db):
    return create_app(create_db.url("pymysql")).test_client()


@pytest.fixture(scope="module")
def engine(create_db):
    return create_engine(create_db.url("pymysql"), poolclass=NullPool)


@pytest.fixture
def session(engine):
    with engine.connect() as connection, connection.begin() as transaction:
        yield Session(connection, join_transaction_mode="create_savepoint")
        transaction.rollback()

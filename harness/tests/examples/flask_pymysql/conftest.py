"""The database of the tests, and the app on it."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from app import create_app
from throwaway_mysql import CallableSchema

SCHEMA = Path(__file__).with_name("schema.sql")


def make_tables(login, database):
    with create_engine(login.url("mysql+pymysql", database)).begin() as connection:
        connection.execute(text(SCHEMA.read_text()))


def add_guests(login, database):
    with create_engine(login.url("mysql+pymysql", database)).begin() as connection:
        connection.execute(text("INSERT INTO guest (name) VALUES ('Zoë ☃')"))


@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make_tables, seed=add_guests, also=[SCHEMA])


@pytest.fixture(scope="session")
def mysql_app_factory():
    return lambda database: create_app(sessionmaker(create_engine(database.url("pymysql"))))


@pytest.fixture
def client(db_connection):
    sessions = sessionmaker(db_connection, join_transaction_mode="create_savepoint")
    return create_app(sessions).test_client()

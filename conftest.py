"""The project's fixtures: a throwaway database, the app on it, and a client, one per module."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

import db
import settings
from application import create_app
from db_connection import session
from tests.support.databases import connected, migrated_database
from tests.support.project import ALEMBIC, PATIENT, Environ, account_settings
from throwaway_mysql import AlembicProject, AlembicSchema, Database, Login, Tls, throwaway_prefix

if settings.MYSQLD:  # the program for private servers, as for `quart mysql start`
    os.environ["THROWAWAY_MYSQLD"] = settings.MYSQLD


@pytest.fixture(scope="session")
def mysql_configured() -> Sequence[Login]:
    """Return root, if it has a password, and the app's user: each may create test databases."""
    address = settings.DB_HOST, settings.DB_PORT
    tls = Tls(settings.DB_TLS, settings.DB_TLS_CA, settings.DB_TLS_CERT, settings.DB_TLS_KEY)
    user = Login(*address, settings.DB_USERNAME, settings.DB_PASSWORD, tls=tls)
    root = Login(*address, "root", settings.MYSQL_ROOT_PASSWORD, tls=tls)
    return [root, user] if root.password else [user]


@pytest.fixture(scope="session")
def mysql_prefix() -> str:
    """Return the prefix of databases that the app's user may create."""
    return throwaway_prefix(settings.DATABASE_NAME)


@pytest.fixture(scope="session")
def mysql_schema() -> AlembicSchema:
    """Make the schema as in production."""
    return AlembicSchema(ALEMBIC)


@pytest.fixture(scope="session")
def mysql_server(mysql_server: Login) -> Login:
    """Give the tests' sessions the same settings as the app's."""
    return replace(mysql_server, init_command=session())


@pytest.fixture(scope="session")
def mysql_root(mysql_server: Login) -> Login:
    """Return root's account, which may create others; skip if the tests use another account."""
    if mysql_server.user != "root":
        pytest.skip("the tests' account is not root")
    return mysql_server


@pytest.fixture(scope="session")
def server_environ(mysql_server: Login) -> Environ:
    """Return the environment for a program that uses the tests' server."""
    patient = {name: str(value) for name, value in PATIENT.items()}
    return Environ(os.environ | patient | account_settings(mysql_server))


@pytest.fixture(scope="module")
def create_db(create_db: Database) -> Database:
    """Return settings for a migrated database of the module's own."""
    return Database(create_db, TESTING=True, **PATIENT)


@pytest.fixture(scope="module")
def db_engine(create_db: Database) -> AsyncEngine:
    """Return a second engine with the app's session settings, in autocommit mode."""
    return create_async_engine(
        db.url(create_db),
        async_creator=lambda: db.connect(create_db),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
    )


@pytest.fixture(scope="module")
async def create_test_app(create_db: Database, db_engine: AsyncEngine) -> AsyncIterator[Quart]:
    """Start the app on that database; `sac` is a connection for tests to read tables with."""
    app = create_app(**create_db)
    print("Starting app")
    async with app.test_app(), db_engine.connect() as app.sac:  # type: ignore[attr-defined]
        yield app
        print("Closing down app")


@pytest.fixture(scope="module")
def create_test_client(create_test_app: Quart) -> Client:
    """Return a client of that app."""
    print("Creating test client")
    return create_test_app.test_client()


@pytest.fixture
def fresh_db(mysql_server: Login) -> Iterator[Database]:
    """Create a migrated database for one test."""
    with migrated_database(mysql_server) as database:
        yield database


@pytest.fixture
def connection(empty_database: Database) -> Iterator[Connection]:
    """Connect to the empty database."""
    with connected(empty_database) as connection:
        yield connection


@pytest.fixture
def migrations(mysql_server: Login, empty_database: Database) -> AlembicProject:
    """Return the migrations, for running on the empty database in this process."""
    return AlembicProject(ALEMBIC, mysql_server, empty_database["DATABASE_NAME"])

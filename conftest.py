"""The project's fixtures: a throwaway database, the app on it, and a client, each a module's."""

import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine

import settings
from application import create_app
from db_connection import session
from tests.support.project import (
    ALEMBIC,
    AWKWARD_FOLDER,
    PROJECT,
    Alembic,
    MysqlCommand,
    account_settings,
    connected,
    migrated_database,
    own_server,
    run_alembic,
)
from throwaway_mysql import AlembicSchema, Login
from throwaway_mysql.accounts import throwaway_prefix
from throwaway_mysql.databases.database import Coordinates
from throwaway_mysql.masked import Masked
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.tls import Tls


@pytest.fixture(scope="session")
def mysql_configured() -> Sequence[Login]:
    """Return the app's user, after root if that has a password: each may make test databases."""
    address = settings.DB_HOST, settings.DB_PORT
    tls = Tls(settings.DB_TLS, settings.DB_TLS_CA, settings.DB_TLS_CERT, settings.DB_TLS_KEY)
    user = Login(*address, settings.DB_USERNAME, settings.DB_PASSWORD, tls=tls)
    root = Login(*address, "root", settings.MYSQL_ROOT_PASSWORD, tls=tls)
    return [root, user] if root.password else [user]


@pytest.fixture(scope="session")
def mysql_wait() -> float:
    """Wait for a server on another machine as long as the app does."""
    return settings.DB_WAIT


@pytest.fixture(scope="session")
def mysqld() -> str:
    """Name the program of private servers as `quart mysql start` does."""
    return settings.MYSQLD


@pytest.fixture(scope="session")
def mysql_prefix() -> str:
    """Name databases as the app's user may create them."""
    return throwaway_prefix(settings.DATABASE_NAME)


@pytest.fixture(scope="session")
def mysql_spared() -> list[str]:
    """Never drop the app's own database."""
    return [settings.DATABASE_NAME]


@pytest.fixture(scope="session")
def mysql_schema() -> AlembicSchema:
    """Make the schema as in production."""
    return AlembicSchema(ALEMBIC)


@pytest.fixture(scope="session")
def mysql_tcp() -> bool:
    """Have a private server listen on a port: the settings name a host and a port."""
    return True


@pytest.fixture(scope="session")
def mysql_server(mysql_server: Login) -> Login:
    """Let what the tests send mean the same as what the app sends."""
    return replace(mysql_server, init_command=session())


@pytest.fixture(scope="session")
def mysql_root(mysql_server: Login) -> Login:
    """Return root's account, which may create others; skip where the tests have another."""
    if mysql_server.user != "root":
        pytest.skip("the tests' account is not root")
    return mysql_server


@pytest.fixture(scope="session")
def server_environ(mysql_server: Login) -> dict[str, str]:
    """Return the environment of a program that is to use the tests' server."""
    return Masked(os.environ | account_settings(mysql_server))


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """Copy the project without its tests, as someone's own project begins."""
    ignore = shutil.ignore_patterns(".*", "__pycache__", "test_*", "docs", "benchmarks")
    folder = shutil.copytree(PROJECT, tmp_path / AWKWARD_FOLDER, ignore=ignore)
    shutil.copy(PROJECT / ".quartenv", folder)
    return folder


@pytest.fixture
def project(project_copy: Path) -> Iterator[MysqlCommand]:
    """Return a copy of the project that may have a private server."""
    with own_server(project_copy) as project:
        yield project


@pytest.fixture
def startable(project: MysqlCommand, mysql_program: str) -> MysqlCommand:
    """Return the project with a server program to start."""
    project.environ["MYSQLD"] = mysql_program
    return project


@pytest.fixture
def checkout(project_copy: Path) -> Path:
    """Return a copy of the project in which all is installed that script/bootstrap installs."""
    venv, pipenv = PROJECT / ".venv", PROJECT / ".pipenv"
    if Path(sys.prefix).resolve() != venv.resolve() or not (pipenv / "bin/pipenv").exists():
        pytest.skip("this environment was not made by script/bootstrap")
    for folder in (venv, pipenv):
        (project_copy / folder.name).symlink_to(folder)
    return project_copy


@pytest.fixture
def connection(empty_database: Coordinates) -> Iterator[Connection]:
    """Connect to the empty database."""
    with connected(empty_database) as connection:
        yield connection


@pytest.fixture
def alembic(empty_database: Coordinates, server_environ: dict[str, str]) -> Alembic:
    """Return the command line of Alembic on the empty database."""
    return partial(run_alembic, server_environ | empty_database.environ())


@pytest.fixture
def migrations(mysql_server: Login, empty_database: Coordinates) -> AlembicProject:
    """Return the migrations, to run on the empty database in this process."""
    return AlembicProject(ALEMBIC, mysql_server, empty_database["DATABASE_NAME"])


@pytest.fixture
def fresh_db(mysql_server: Login) -> Iterator[Coordinates]:
    """Make a migrated database for one test."""
    with migrated_database(mysql_server) as coordinates:
        yield coordinates


@pytest.fixture(scope="module")
def create_db(create_db: Coordinates) -> Coordinates:
    """Return the settings that lead to a migrated database of the module's own."""
    return Coordinates(create_db, TESTING=True)


@pytest.fixture(scope="module")
def db_engine(db_engine: AsyncEngine) -> AsyncEngine:
    """Let what the tests send through it mean the same as what the app sends."""

    @event.listens_for(db_engine.sync_engine, "do_connect", insert=True)
    def begin(_dialect: Any, _record: Any, _unnamed: Any, named: dict[str, Any]) -> None:
        named["init_command"] = session()

    return db_engine


@pytest.fixture(scope="session")
def mysql_app_factory() -> Callable[[Coordinates], Quart]:
    """Make the app as manage.py does, on another database."""
    return lambda coordinates: create_app(**coordinates)


@pytest.fixture(scope="module")
async def create_test_app(create_test_app: Quart, db_engine: AsyncEngine) -> AsyncIterator[Quart]:
    """Give the started app a connection, through which the tutorial's tests look into the table."""
    autocommit = db_engine.execution_options(isolation_level="AUTOCOMMIT")
    async with autocommit.connect() as connection:
        create_test_app.sac = connection  # type: ignore[attr-defined]
        yield create_test_app

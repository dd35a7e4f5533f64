"""Databases other than the app's, and connections to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

import settings
from db import sync_engine
from tests.support.project import ALEMBIC
from throwaway_mysql import (
    AlembicProject,
    Database,
    Login,
    throwaway_database,
    throwaway_prefix,
)


@contextmanager
def new_database(login: Login) -> Iterator[Database]:
    """Create a throwaway database without tables."""
    with throwaway_database(login, throwaway_prefix(settings.DATABASE_NAME)) as database:
        yield database


@contextmanager
def migrated_database(login: Login) -> Iterator[Database]:
    """Create a throwaway database with the newest schema."""
    with new_database(login) as database:
        AlembicProject(ALEMBIC, login, database["DATABASE_NAME"]).upgrade()
        yield database


@contextmanager
def connected(database: Database) -> Iterator[Connection]:
    """Connect to a database, not through the app, in autocommit mode."""
    engine = sync_engine(database).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection

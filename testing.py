"""What tests of any room use: databases, a look into them, and a connection to cut."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

import settings
from db import url
from throwaway_mysql import Login
from throwaway_mysql.databases.database import Coordinates, throwaway_database
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.testing.relay import CutError

PROJECT = Path(__file__).parent
ALEMBIC_INI = PROJECT / "alembic.ini"
PROGRAMS = Path(sys.executable).parent


def account_settings(login: Login) -> dict[str, str]:
    """Return the app's settings, as its environment has them, that lead to an account."""
    return {
        "DB_HOST": login.host,
        "DB_PORT": str(login.port),
        "DB_USERNAME": login.user,
        "DB_PASSWORD": login.password,
        "MYSQL_ROOT_PASSWORD": login.password if login.user == "root" else "",
    }


@contextmanager
def migrated_database(login: Login) -> Iterator[Coordinates]:
    """Make a throwaway database with the newest schema."""
    with throwaway_database(login, settings.DATABASE_NAME) as coordinates:
        AlembicProject(ALEMBIC_INI, login, coordinates["DATABASE_NAME"]).upgrade()
        yield coordinates


@contextmanager
def connected(coordinates: Coordinates) -> Iterator[Connection]:
    """Connect to a database beside the app; each statement is committed at once."""
    engine = create_engine(
        url(coordinates, "mysql+pymysql"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    with engine.connect() as connection:
        yield connection


def cut_once(
    place: Callable[[bytes, bool], bool], done: asyncio.Event | None = None
) -> Callable[[bytes, bool], Awaitable[None]]:
    """Return what cuts the connection at the first packet that `place` takes; it sets `done`."""
    done = done or asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        if not done.is_set() and place(packet, to_server):
            done.set()
            raise CutError

    return watch

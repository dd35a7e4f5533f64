"""Whether the database's schema is the one that this version of the app needs."""

from collections.abc import AsyncGenerator
from functools import cache
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from quart import Quart
from sqlalchemy import Connection

from db import NOT_MIGRATED, UnavailableError, transaction

MIGRATIONS = Path(__file__).parent.with_name("migrations")


def init_app(app: Quart) -> None:
    """Say at start-up what is missing; the app serves all the same, and isn't ready."""

    @app.while_serving
    async def check() -> AsyncGenerator[None]:
        try:
            if not await at_head():
                app.logger.warning(NOT_MIGRATED)
        except UnavailableError as error:
            app.logger.warning(error)
        yield


async def at_head() -> bool:
    """Tell whether the database has the newest revision of migrations/."""
    async with transaction() as connection:
        return await connection.run_sync(_revisions) == _heads()


def _revisions(connection: Connection) -> set[str]:
    return set(MigrationContext.configure(connection).get_current_heads())


@cache
def _heads() -> set[str]:
    return set(ScriptDirectory(str(MIGRATIONS)).get_heads())

"""Health checks, and in development the active settings."""

from functools import cache
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from quart import Blueprint, Quart, current_app
from sqlalchemy import MetaData, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from werkzeug.exceptions import ServiceUnavailable

import db_errors
import settings
from db import DETAILS, RETRY_AFTER, transaction
from db_errors import Kind
from web import lifecycle
from web.revisions import advice

health = Blueprint("health", __name__, url_prefix="/health")


def init_app(app: Quart, *needed: MetaData) -> None:
    """Register the views, and warn at start-up of what is missing.

    `needed` has the tables that the app needs to be ready.
    """
    app.register_blueprint(health)
    app.extensions["needed"] = needed
    if app.config["QUART_ENV"] == "development":
        app.add_url_rule("/app-settings", view_func=app_settings)
    lifecycle.check_at_start(app, missing)


@health.get("/live")
async def live() -> dict[str, str]:
    """Answer as long as the process does, whatever the state of the database."""
    return {"status": "live"}


@health.get("/ready")
async def ready() -> dict[str, str]:
    """Answer if requests can be served: the database answers, and its schema is the newest.

    The revision is not enough: somebody may have dropped a column or revoked a privilege.
    """
    try:
        async with transaction() as connection:
            lacking = await missing(connection)
    except DBAPIError as error:  # an unknown error: these statements are correct
        current_app.logger.warning("database: %s", db_errors.reason(error))
        raise ServiceUnavailable(DETAILS[Kind.OUTAGE], retry_after=RETRY_AFTER) from error
    if lacking:
        raise ServiceUnavailable(lacking[0], retry_after=RETRY_AFTER)
    return {"status": "ready"}


async def missing(connection: AsyncConnection) -> list[str]:
    """Return what to do if the schema's revision is not this program's.

    Raises the database's error if a table or a column is missing.
    """
    at = await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_heads())
    if lacking := advice(at, _script()):
        return [lacking]
    for metadata in current_app.extensions["needed"]:
        for table in metadata.tables.values():
            await connection.execute(select(table).limit(0))
    return []


async def app_settings() -> dict[str, Any]:
    """Show the active settings, with secrets masked."""
    names = [name for name in vars(settings) if name.isupper()]
    secret = ("KEY", "PASSWORD")
    return {name: "***" if name.endswith(secret) else current_app.config[name] for name in names}


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent.with_name("migrations")))

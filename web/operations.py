"""What those who run the app ask it: its health, and in development its settings."""

from collections.abc import AsyncGenerator
from functools import cache
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from quart import Blueprint, Quart, current_app
from werkzeug.exceptions import ServiceUnavailable

import settings
from db import NOT_MIGRATED, RETRY_AFTER, transaction

health = Blueprint("health", __name__, url_prefix="/health")


def init_app(app: Quart) -> None:
    """Register the room; say at start-up what is missing, and serve all the same."""
    app.register_blueprint(health)
    if app.config["QUART_ENV"] == "development":
        app.add_url_rule("/app-settings", view_func=app_settings)

    @app.while_serving
    async def check() -> AsyncGenerator[None]:
        try:
            await ready()
        except ServiceUnavailable as error:
            app.logger.warning(error.description)
        yield


@health.get("/live")
async def live() -> dict[str, str]:
    """Answer while the process does, whatever the database does."""
    return {"status": "live"}


@health.get("/ready")
async def ready() -> dict[str, str]:
    """Answer while requests can be served: the database answers and its schema is the newest."""
    async with transaction() as connection:
        at = await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_heads())
        if set(at) != _heads():
            raise ServiceUnavailable(NOT_MIGRATED, retry_after=RETRY_AFTER)
    return {"status": "ready"}


async def app_settings() -> dict[str, Any]:
    """Show the active settings, the secret ones masked."""
    names = [name for name in vars(settings) if name.isupper()]
    secret = ("KEY", "PASSWORD")
    return {name: "***" if name.endswith(secret) else current_app.config[name] for name in names}


@cache
def _heads() -> set[str]:
    migrations = Path(__file__).parent.with_name("migrations")
    return set(ScriptDirectory(str(migrations)).get_heads())

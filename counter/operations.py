"""What those who run the app ask it: its health, and in development its settings."""

from typing import Any

from quart import Blueprint, Response, current_app

import settings
from counter.schema import at_head
from db import NOT_MIGRATED, UnavailableError

health = Blueprint("health", __name__, url_prefix="/health")
app_settings = Blueprint("app_settings", __name__)


@health.after_request
@app_settings.after_request
async def never_store(response: Response) -> Response:
    """Keep caches from answering instead of the app."""
    response.headers["Cache-Control"] = "no-store"
    return response


@health.get("/live")
async def live() -> dict[str, str]:
    """Answer while the process does, whatever the database does."""
    return {"status": "live"}


@health.get("/ready")
async def ready() -> dict[str, str]:
    """Answer while requests can be served: the database answers and its schema is the newest."""
    if not await at_head():
        raise UnavailableError(NOT_MIGRATED)
    return {"status": "ready"}


@app_settings.get("/app-settings")
async def show_settings() -> dict[str, Any]:
    """Show the active settings, the secret ones masked."""
    names = sorted(name for name in vars(settings) if name.isupper() and name != "SECRETS")
    return {name: "***" if name in settings.SECRETS else current_app.config[name] for name in names}

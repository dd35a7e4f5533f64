"""The application factory."""

from typing import Any

from quart import Quart

import db
from commands import mysql
from counter import api, batching, durability, fast_path, http_errors, purge
from counter.api.hitting import fast_hit
from counter.models import metadata
from counter.page import counter_app, fast_view
from web import errors, files, health, incoming, lifecycle, pages


def create_app(**config_overrides: Any) -> Quart:
    """Return the app with its settings; tests override some by name."""
    app = Quart(__name__, template_folder="web/templates", static_folder="web/static")
    app.config.from_object("settings")
    app.config.update(config_overrides)

    db.init_app(app)
    lifecycle.init_app(app)
    durability.init_app(app)
    batching.init_app(app)
    purge.init_app(app)
    errors.init_app(app)
    http_errors.init_app(app)
    incoming.init_app(app)
    files.init_app(app)
    pages.init_app(app)
    health.init_app(app, metadata)
    app.register_blueprint(counter_app)
    api.init_app(app)
    fast_path.init_app(app, fast_hit, fast_view)
    app.cli.add_command(mysql)
    return app

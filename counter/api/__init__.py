"""The JSON API: hits, looks at counters, and its description."""

from quart import Quart

from counter.api.docs import docs
from counter.api.hitting import hitting
from counter.api.reading import reading
from counter.api.wire import LARGEST_BODY


def init_app(app: Quart) -> None:
    """Register the rooms, and let no request bring more than its largest may."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    for room in (hitting, reading, docs):
        app.register_blueprint(room)

"""The JSON API: hits, looks at counters, and its description."""

from quart import Quart, request
from werkzeug.exceptions import NotFound

from counter.api.docs import docs
from counter.api.hitting import hitting
from counter.api.reading import reading
from counter.api.wire import LARGEST_BODY


def init_app(app: Quart) -> None:
    """Register the rooms, and let no request bring more than its largest may."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.before_request(refuse_encoded_slashes)
    for room in (hitting, reading, docs):
        app.register_blueprint(room)


async def refuse_encoded_slashes() -> None:
    """Refuse `%2F`, which servers decode: `a/b%2Fhours` would show the hours of `a/b`."""
    raw = request.scope.get("raw_path", b"")
    if request.path.startswith("/api/v1/counters/") and b"%2f" in raw.lower():
        raise NotFound("No counter has a slash in its name, so no path here has a %2F.")

"""The JSON API: hits, looks at counters, and its description."""

from typing import Any

from quart import Quart, Request, request
from werkzeug.exceptions import NotFound

from counter.api.docs import docs
from counter.api.hitting import hitting
from counter.api.reading import reading
from counter.api.wire import LARGEST_BODY


class LimitedRequest(Request):
    """A request: to the API it brings no more than its largest; others have MAX_CONTENT_LENGTH."""

    def __init__(self, method: str, scheme: str, path: str, *more: Any, **options: Any) -> None:
        if path.startswith("/api/v1/"):
            options["max_content_length"] = LARGEST_BODY
        super().__init__(method, scheme, path, *more, **options)


def init_app(app: Quart) -> None:
    """Register the rooms, and let no request to them bring more than its largest may."""
    app.request_class = LimitedRequest
    app.before_request(refuse_encoded_slashes)
    for room in (hitting, reading, docs):
        app.register_blueprint(room)


async def refuse_encoded_slashes() -> None:
    """Refuse `%2F`, which servers decode: `a/b%2Fhours` would show the hours of `a/b`."""
    raw = request.scope.get("raw_path", b"")
    if request.path.startswith("/api/v1/counters/") and b"%2f" in raw.lower():
        raise NotFound("No counter has a slash in its name, so no path here has a %2F.")

"""The JSON API: hits, and reads of counters."""

from quart import Quart
from quart_schema import Info

from counter.api.hitting import hitting
from counter.api.reading import reading
from web import openapi

INFO = Info(
    title="Counter",
    version="1",
    description=(
        "Counts things, each exactly once.\n\n"
        "Counts are whole numbers up to 2^53 - 1, which JavaScript's numbers hold exactly.\n\n"
        "HEAD works wherever GET does. Unknown fields and parameters, and those given twice, are"
        " refused, never ignored. Every error is a problem document (RFC 9457). If a request is not"
        " valid, its `errors` name each invalid field and say what it must be."
    ),
)


def init_app(app: Quart) -> None:
    """Register the endpoints and the API's documentation; other packages may add endpoints."""
    openapi.init_app(app, INFO)
    for blueprint in (hitting, reading):
        app.register_blueprint(blueprint)

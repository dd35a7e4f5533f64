"""The JSON API: hits, and looks at counters."""

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
        "Counts are whole numbers. The numbers of JavaScript are exact up to 2^53 only: where"
        " counts may grow beyond that, let it read them with a parser that keeps large"
        " integers.\n\n"
        "Where GET is answered, HEAD is too. Fields and parameters that are not known, or given"
        " twice, are refused, never ignored. Every error is a problem document (RFC 9457). Where"
        " something that was sent is not valid, its `errors` name each field and say what it must"
        " be."
    ),
)


def init_app(app: Quart) -> None:
    """Register the endpoints, and what documents the API: other packages may add theirs."""
    openapi.init_app(app, INFO)
    for blueprint in (hitting, reading):
        app.register_blueprint(blueprint)

"""HTTP errors for requests whose hits got no number."""

from quart import Quart, Response
from werkzeug.exceptions import (
    Conflict,
    HTTPException,
    RequestEntityTooLarge,
    ServiceUnavailable,
    UnprocessableEntity,
)

from counter.hits import (
    CountLimitError,
    HitError,
    ReusedKeyError,
    TooManyHitsError,
    UnavailableError,
)
from db import RETRY_AFTER
from web.errors import answer_in_view


def init_app(app: Quart) -> None:
    """Have the views of `app` answer a HitError with its HTTP error."""

    @app.errorhandler(HitError)
    async def answer(error: HitError) -> Response:
        return await answer_in_view(to_http(error))


def to_http(error: HitError) -> HTTPException:
    """Return the HTTP error; what the database refuses is not the caller's fault."""
    match error:
        case ReusedKeyError():
            return UnprocessableEntity(str(error))
        case CountLimitError():
            return Conflict(str(error))
        case TooManyHitsError():
            return RequestEntityTooLarge(str(error))
        case UnavailableError():
            return ServiceUnavailable(str(error), retry_after=RETRY_AFTER)
    return ServiceUnavailable(str(error))

"""HTTP errors for requests whose hits got no number."""

from quart import Quart
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
from web import errors


def init_app(app: Quart) -> None:
    """Have `app` answer so."""
    errors.translate(app, HitError, to_http)


def to_http(error: HitError) -> HTTPException:
    """Return the error as HTTP has it; what the database refuses is no fault of the caller."""
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

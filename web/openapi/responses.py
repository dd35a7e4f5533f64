"""Responses of the API, and the decorator that documents them."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from quart import Response
from quart_schema import document_response

from web.openapi.bodies import LARGEST_BODY
from web.openapi.models import Model

JSON = "application/json"
ERRORS_ATTRIBUTE = "_errors"
View = TypeVar("View", bound=Callable[..., Any])

# What a status means if an operation does not describe it.
ERRORS = {
    "400": "The body is not JSON in UTF-8, or has far more than any request needs.",
    "404": "There is nothing with that name.",
    "409": "The request conflicts with what is stored.",
    "413": f"The body is larger than {LARGEST_BODY:,} bytes.",
    "415": "The body is not declared as application/json, or is compressed.",
    "422": "The request is not valid: `errors` names each field and what it must be.",
    "503": "The database is unavailable, or too many requests are waiting for it.",
    "default": "Any other error, such as a wrong method or a fault of the server.",
}


def returns(
    model: type[Model],
    headers: type[Model] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Callable[[View], View]:
    """Document what a view returns; `errors` describes those that differ from ERRORS."""
    document: Any = document_response  # typed for instances, not classes

    def decorator(view: View) -> View:
        setattr(view, ERRORS_ATTRIBUTE, errors or {})
        documented: View = document(model, 200, headers)(view)
        return documented

    return decorator


def json_response(model: Model) -> Response:
    """Return a model as JSON; quart-schema's own conversion takes five times as long."""
    return Response(model.model_dump_json(by_alias=True), content_type=JSON)

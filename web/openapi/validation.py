"""Validation of requests by the models that quart-schema documents, with our own messages."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, get_args

from pydantic import ValidationError, create_model
from pydantic_core import ErrorDetails
from quart_schema import document_headers, document_querystring, document_request

from web.errors import MAX_ERRORS, Invalid, printable
from web.openapi.models import Model
from web.openapi.requests import read_request

PATH_ATTRIBUTE = "_path_schema"
DOCUMENTED: dict[str, Any] = {  # typed for instances, not classes
    "query": document_querystring,
    "headers": document_headers,
    "body": document_request,
}
View = TypeVar("View", bound=Callable[..., Any])


class Nothing(Model):
    """A part that must be empty."""


def validate(**parts: type[Model]) -> Callable[[View], View]:
    """Validate path, query, headers and body; the view gets each part that has a model."""
    model = request_model(**parts)

    def decorator(view: Any) -> Any:
        setattr(view, PATH_ATTRIBUTE, parts.get("path"))
        for part in DOCUMENTED.keys() & parts:
            DOCUMENTED[part](parts[part])(view)

        @wraps(view)
        async def wrapper(**_: Any) -> Any:
            sent = check(model, await read_request(model))
            return await view(**{part: getattr(sent, part) for part in parts})

        return wrapper

    return decorator


def request_model(**parts: type[Model]) -> type[Model]:
    """Return the model of a request with these parts; without a model, its query must be empty."""
    fields: dict[str, Any] = {part: (model, ...) for part, model in parts.items()}
    return create_model("Request", __base__=Model, **{"query": (Nothing, ...), **fields})


def check(model: type[Model], sent: dict[str, Any]) -> Any:
    """Return the parts of a request as its model; raise Invalid if they do not fit."""
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        # Wording every error of a large body would hold up all other requests.
        first = error.errors(include_url=False, include_context=False)[:MAX_ERRORS]
        raise Invalid([_in_words(model, each) for each in first], error.error_count()) from None


def _in_words(model: type[Model], error: ErrorDetails) -> tuple[str, str]:
    """Return the wrong field, and what it must be: its description."""
    part, *path = error["loc"]
    field = printable(".".join(map(str, path or [part])))
    rules = _rules(model, error["loc"][:-1])
    if error["type"] == "extra_forbidden":
        kind = "parameter" if part == "query" else "field"
        return field, f"is no {kind} here: there is {', '.join(rules) or 'none'}"
    if part in ("query", "headers") and isinstance(error["input"], list):
        return field, "must be given once"
    if error["type"] == "string_unicode":
        return field, "has half of a surrogate pair, which is no character"
    missing = "is missing: it " if error["type"] == "missing" else ""
    return field, f"{missing}must be {rules.get(str(error['loc'][-1])) or 'an object'}"


def _rules(model: Any, path: Sequence[int | str]) -> dict[str, str | None]:
    """Return the description of each field of the model at the path, by its public name."""
    for step in path:
        # A list's item, or a field.
        model = get_args(model)[0] if isinstance(step, int) else model.model_fields[step].annotation
    fields = getattr(model, "model_fields", {})  # the items of a list have no names
    return {field.alias or name: field.description for name, field in fields.items()}

"""Requests to the API: they have limits, and no part of them is ignored."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from quart import Request, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotFound

from web.errors import FOR_PROGRAMS, Invalid
from web.openapi.bodies import LARGEST_BODY, read_body
from web.openapi.models import Model

MAX_PARAMETERS = 100


class ApiRequest(Request):
    """A request, whose body is limited to LARGEST_BODY below `/api/`, else MAX_CONTENT_LENGTH."""

    def __init__(self, method: str, scheme: str, path: str, *rest: Any, **options: Any) -> None:
        if path.startswith(FOR_PROGRAMS):
            options["max_content_length"] = LARGEST_BODY
        super().__init__(method, scheme, path, *rest, **options)


async def refuse_encoded_slashes() -> None:
    """Refuse `%2F`, which servers decode: `a/b%2Fhours` would show the hours of `a/b`."""
    raw = request.scope.get("raw_path", b"")
    if request.path.startswith(FOR_PROGRAMS) and b"%2f" in raw.lower():
        raise NotFound("No name contains a slash, so no path here contains %2F.")


async def read_request(model: type[Model]) -> dict[str, Any]:
    """Return the parts of the request that the model has, not yet validated."""
    sent: dict[str, Any] = {"query": _query(request.query_string)}
    if "path" in model.model_fields:
        sent["path"] = request.view_args
    if "headers" in model.model_fields:
        sent["headers"] = _headers(request.headers, model.model_fields["headers"].annotation)
    if "body" in model.model_fields:
        body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
        sent["body"] = read_body(request.headers, body)
    return sent


def _query(raw: bytes) -> dict[str, Any]:
    """Return the URL's parameters; raise Invalid if there are too many."""
    try:
        pairs = parse_qsl(
            raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise Invalid([("query", f"must have at most {MAX_PARAMETERS} parameters")]) from None
    return _by_name(pairs)


def _headers(headers: Headers, model: Any) -> dict[str, Any]:
    """Return the headers that a model has."""
    names = [field.alias for field in model.model_fields.values()]
    # Spaces around a value are not part of it (RFC 9110), but httptools keeps those after it.
    return _by_name((name, value.strip(" \t")) for name in names for value in headers.getlist(name))


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the values by name, as a list if there are several."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found if found[1:] else found[0] for name, found in values.items()}

"""Error responses: a page for a browser, a problem document for a program."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from quart import Quart, Response, current_app, has_request_context, render_template, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException, InternalServerError, UnprocessableEntity

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]  # status, headers and body

FOR_PROGRAMS = "/api/"  # there are no pages below it
PROBLEM = "application/problem+json"
FAULT = "Something went wrong here. It has been written to the log."
MAX_ERRORS = 100  # reported for one request
MAX_NAME = 100  # characters of a field's name shown in an error


class Invalid(UnprocessableEntity):
    """The request is not valid; each of `errors` is a field and its problem."""

    def __init__(self, errors: Sequence[tuple[str, str]], number: int = 1) -> None:
        self.errors = errors[:MAX_ERRORS]
        field, what = errors[0]
        more = f" It is the first of {number:,} errors." if number > 1 else ""
        super().__init__(f"{field} {what}.{more}")


def printable(name: str) -> str:
    """Return a field's name for an error: shortened, and encodable in UTF-8."""
    return name[:MAX_NAME].encode(errors="backslashreplace").decode()


def init_app(app: Quart) -> None:
    """Answer every error of `app` in this module."""
    app.register_error_handler(Exception, answer_in_view)


async def answer_in_view(error: Exception) -> Response:
    """Answer any error: an unknown page, a missing database, a bug and so on."""
    where = f"{request.method} {request.path}" if has_request_context() else "a WebSocket"
    http_error = _to_http(current_app, error, where)
    code = http_error.code or 500
    if _wants_page():
        title, detail = HTTPStatus(code).phrase, http_error.description or ""
        page = await render_template("error.html", title=title, detail=detail)
        response = Response(page, code)
    else:
        response = Response(problem(http_error), code, content_type=PROBLEM)
    for name, value in http_error.get_headers():
        response.headers.setdefault(name, value)  # such as Allow and Retry-After
    return response


async def answer_in_front(app: Quart, scope: Any, send: Any, error: Exception) -> Answer:
    """Return a view's answer to an error, for a request that Quart does not see.

    A problem document needs no Quart request, and so takes a thirtieth of the time.
    """
    if not scope["path"].startswith(FOR_PROGRAMS):
        return await _answer_in_context(app, scope, send, error)
    http_error = _to_http(app, error, f"{scope['method']} {scope['path']}")
    body = problem(http_error).encode()
    headers = Headers({"Content-Type": PROBLEM, "Content-Length": str(len(body))})
    headers["Cache-Control"] = "no-store"
    for name, value in http_error.get_headers():
        headers.setdefault(name, value)
    return http_error.code or 500, _encoded(headers), body


def problem(error: HTTPException) -> str:
    """Return an error's problem document (RFC 9457, Problem Details for HTTP APIs)."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.code or 500).phrase,
        "status": error.code or 500,
        "detail": error.description or "",
    }
    if isinstance(error, Invalid):
        document["errors"] = [{"field": field, "problem": what} for field, what in error.errors]
    return json.dumps(document, separators=(",", ":"))


def _to_http(app: Quart, error: Exception, where: str) -> HTTPException:
    """Return the HTTP error for an error; log an unexpected one.

    Quart's own page for an unexpected error would show variables, secrets among them.
    """
    if isinstance(error, HTTPException):
        return error
    app.logger.exception("%s met an unexpected error", where, exc_info=error)
    return InternalServerError(FAULT)


async def _answer_in_context(app: Quart, scope: Any, send: Any, error: Exception) -> Answer:
    """Answer with a page or a problem document, as the request prefers; a page has links."""
    connection: Any = app.asgi_http_class(app, scope)
    request = connection._create_request_from_scope(send)  # noqa: SLF001 (as it does by itself)
    async with app.request_context(request) as context:
        response: Any = await app.finalize_request(await answer_in_view(error), context)
        body: bytes = await response.get_data(as_text=False)
    return response.status_code, _encoded(response.headers), body


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers]


def _wants_page() -> bool:
    # A WebSocket handshake has no request context.
    if not has_request_context() or request.path.startswith(FOR_PROGRAMS):
        return False
    kinds = ["text/html", "application/json", PROBLEM]
    return request.accept_mimetypes.best_match(kinds) == "text/html"

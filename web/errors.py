"""Answers to what goes wrong: a page for a browser, a problem document for a program."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from quart import Quart, Response, current_app, has_request_context, render_template, request
from werkzeug.exceptions import HTTPException, InternalServerError, UnprocessableEntity

FOR_PROGRAMS = "/api/"  # nothing below it is a page
PROBLEM = "application/problem+json"
FAULT = "Something went wrong here. It has been written to the log."
MAX_ERRORS = 100  # errors of one request


class Invalid(UnprocessableEntity):
    """What was sent is not valid: the first of its `errors`, each a field and what is wrong."""

    def __init__(self, errors: Sequence[tuple[str, str]], number: int = 1) -> None:
        self.errors = errors[:MAX_ERRORS]
        field, what = errors[0]
        more = f" It is the first of {number:,} errors." if number > 1 else ""
        super().__init__(f"{field} {what}.{more}")


def init_app(app: Quart) -> None:
    """Have this module answer every error of `app`."""
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


async def http_error(error: HTTPException) -> Response:
    """Answer an unknown page, a wrong method, a database that is away, and the like."""
    response = await _answer(error)
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)  # such as Allow and Retry-After
    return response


async def unexpected(error: Exception) -> Response:
    """Answer a fault of the program; Quart's own page would show variables, secrets too."""
    where = f"{request.method} {request.path}" if has_request_context() else "a WebSocket"
    current_app.logger.exception("%s met an unexpected error", where, exc_info=error)
    return await _answer(InternalServerError(FAULT))


def problem(error: HTTPException) -> str:
    """Return the problem document of an error: RFC 9457, Problem Details for HTTP APIs."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(error.code or 500).phrase,
        "status": error.code or 500,
        "detail": error.description or "",
    }
    if isinstance(error, Invalid):
        document["errors"] = [{"field": field, "problem": what} for field, what in error.errors]
    return json.dumps(document, separators=(",", ":"))


async def _answer(error: HTTPException) -> Response:
    code = error.code or 500
    if _wants_page():
        title, detail = HTTPStatus(code).phrase, error.description or ""
        return Response(await render_template("error.html", title=title, detail=detail), code)
    return Response(problem(error), code, content_type=PROBLEM)


def _wants_page() -> bool:
    # A WebSocket's handshake is no request.
    if not has_request_context() or request.path.startswith(FOR_PROGRAMS):
        return False
    kinds = ["text/html", "application/json", PROBLEM]
    return request.accept_mimetypes.best_match(kinds) == "text/html"

"""Answers to what goes wrong: a page for a browser, a problem document for a program."""

from http import HTTPStatus

from quart import Quart, Response, current_app, json, render_template, request
from werkzeug.exceptions import HTTPException

from db import UnavailableError

RETRY_AFTER = 2  # seconds: about what a database needs to start again


def init_app(app: Quart) -> None:
    """Answer every error of `app` from this room."""
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(UnavailableError, unavailable)
    app.register_error_handler(Exception, unexpected)


async def http_error(error: HTTPException) -> Response:
    """Answer an unknown page, a wrong method and the like."""
    response = await _answer(error.code or 500, error.description or "")
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


async def unavailable(error: UnavailableError) -> Response:
    """Answer while the database is away."""
    response = await _answer(503, str(error))
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


async def unexpected(error: Exception) -> Response:
    """Answer a fault of the program; Quart's own page would show variables, secrets too."""
    current_app.logger.exception("%s %s", request.method, request.path, exc_info=error)
    return await _answer(500, "Something went wrong here. It has been written to the log.")


async def _answer(code: int, detail: str) -> Response:
    title = HTTPStatus(code).phrase
    best = request.accept_mimetypes.best_match(
        ["text/html", "application/json", "application/problem+json"]
    )
    if best == "text/html":
        body = await render_template("error.html", title=title, detail=detail)
        response = Response(body, code)
    else:
        # RFC 9457, Problem Details for HTTP APIs.
        problem = {"type": "about:blank", "title": title, "status": code, "detail": detail}
        response = Response(json.dumps(problem), code, content_type="application/problem+json")
    response.headers["Cache-Control"] = "no-store"
    return response

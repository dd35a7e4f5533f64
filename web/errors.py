"""Answers to what goes wrong: a page for a browser, a problem document for a program."""

from http import HTTPStatus

from quart import Quart, Response, current_app, has_request_context, json, render_template, request
from werkzeug.exceptions import HTTPException


def init_app(app: Quart) -> None:
    """Answer every error of `app` from this room."""
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


async def http_error(error: HTTPException) -> Response:
    """Answer an unknown page, a wrong method, a database that is away, and the like."""
    response = await _answer(error.code or 500, error.description or "")
    for name, value in error.get_headers():
        response.headers.setdefault(name, value)  # such as Allow and Retry-After
    return response


async def unexpected(error: Exception) -> Response:
    """Answer a fault of the program; Quart's own page would show variables, secrets too."""
    where = f"{request.method} {request.path}" if has_request_context() else "a WebSocket"
    current_app.logger.exception("%s met an unexpected error", where, exc_info=error)
    return await _answer(500, "Something went wrong here. It has been written to the log.")


async def _answer(code: int, detail: str) -> Response:
    title = HTTPStatus(code).phrase
    if _wants_page():
        return Response(await render_template("error.html", title=title, detail=detail), code)
    # RFC 9457, Problem Details for HTTP APIs.
    problem = {"type": "about:blank", "title": title, "status": code, "detail": detail}
    return Response(json.dumps(problem), code, content_type="application/problem+json")


def _wants_page() -> bool:
    kinds = ["text/html", "application/json", "application/problem+json"]
    # A WebSocket's handshake is no request.
    return has_request_context() and request.accept_mimetypes.best_match(kinds) == "text/html"

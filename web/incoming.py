"""Give ordinary errors to requests that Quart cannot handle.

A server program passes on any HTTP request; Quart fails on some before an error handler can
answer. This module repairs such a request, and stores the error in its scope for a handler.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from quart import Quart, Response, request, websocket
from quart.wrappers import BaseRequestWebsocket
from werkzeug.exceptions import BadRequest, InternalServerError, RequestTimeout
from werkzeug.routing import RequestRedirect

from web.errors import FAULT, PROBLEM, problem

Scope = MutableMapping[str, Any]  # ASGI's, as are the messages
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

ERROR = "web.error"
BODY_WITHIN = 30  # seconds
LABEL = "[a-z0-9_-]{1,63}"
HOST = re.compile(rf"(({LABEL}\.)*{LABEL}\.?|\[[0-9a-f:.]+\])?(:[0-9]{{0,5}})?", re.A | re.I)
BAD_HOST = "The Host header must be given once: a name or an address, and a port if need be."
ORIGIN = re.compile("https?://[^/]*", re.A | re.I)  # before the path, if the target is a URL
NO_TARGET = "The target must be a path, or the URL of one."
LAST_BYTES = re.compile(rb"\s*bytes\s*=\s*-", re.I)


class CutShortError(BadRequest):
    """The announced body did not arrive: httptools skips the body of an upgrade."""

    description = "The body that this request announced did not arrive. Nothing was done."

    def get_headers(self, *arguments: Any, **options: Any) -> list[tuple[str, str]]:
        """Close the connection: it might take the body for another request."""
        return [*super().get_headers(*arguments, **options), ("Connection", "close")]


def init_app(app: Quart) -> None:
    """Pass only valid requests to `app`, and let no error out of it."""
    app.config["BODY_TIMEOUT"] = BODY_WITHIN
    app.url_map.merge_slashes = False  # it redirects to whatever host was sent
    app.before_request(check_request)
    app.before_websocket(check_websocket)
    app.handle_request = _sealed(app, app.handle_request)  # type: ignore[method-assign]
    app.handle_websocket = _sealed(app, app.handle_websocket)  # type: ignore[method-assign]
    quart: Any = app.asgi_app

    async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = _sound(scope)
        if scope["type"] == "http" and _may_be_cut_short(scope):
            try:
                async with asyncio.timeout(app.config["BODY_TIMEOUT"]):
                    first = await _first_body_message(receive)
            except TimeoutError:
                scope[ERROR] = RequestTimeout()
            else:
                if first["type"] == "http.request" and not first.get("body"):
                    scope[ERROR] = CutShortError()
                receive = prepend(first, receive)
        await quart(scope, receive, send)

    app.asgi_app = asgi_app  # type: ignore[assignment, method-assign]  # Quart's way


async def check_request() -> None:
    """Raise the request's error, if any; keep a redirect on this host."""
    _raise_error(request.scope)
    redirect = request.routing_exception
    if isinstance(redirect, RequestRedirect):
        url = urlsplit(redirect.new_url)
        redirect.new_url = urlunsplit(("", "", f"/{url.path.lstrip('/')}", url.query, ""))


async def check_websocket() -> None:
    """Raise the handshake's error, if any."""
    _raise_error(websocket.scope)


def prepend(first: Message, receive: Receive) -> Receive:
    """Return a `receive` that yields the first message again, and then the others."""
    rest = [first]

    async def receive_prepended() -> Message:
        return rest.pop() if rest else await receive()

    return receive_prepended


def _raise_error(scope: Mapping[str, Any]) -> None:
    if error := scope.get(ERROR):
        raise error


def _sound(scope: Scope) -> Scope:
    """Return a scope that Quart can handle, with the error if the request was invalid."""
    # Quart fails on a range of the last bytes (`bytes=-5`); any range may be ignored.
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name != b"range" or not LAST_BYTES.match(value)
    ]
    path, scope = scope["path"], {**scope, "headers": headers}
    hosts = [value.decode("latin-1") for name, value in headers if name == b"host"]
    if hosts[1:] or not all(map(HOST.fullmatch, hosts)):
        others = [pair for pair in headers if pair[0] != b"host"]
        scope = {**scope, "headers": others, ERROR: BadRequest(BAD_HOST)}
    if path.startswith("/"):
        return scope
    if url := ORIGIN.match(path):
        return {**scope, "path": path[url.end() :] or "/"}
    return {**scope, "path": "/", ERROR: BadRequest(NO_TARGET)}


def _may_be_cut_short(scope: Scope) -> bool:
    """Tell whether a request announces a body and an upgrade, for which some servers skip it."""
    headers = dict(scope["headers"])
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
    return has_body and b"upgrade" in headers


async def _first_body_message(receive: Receive) -> Message:
    """Return the first message with a part of the body, or the last one if there is no body."""
    message = await receive()
    while not message.get("body") and message.get("more_body"):
        message = await receive()
    return message


def _sealed(app: Quart, handle: Any) -> Any:
    """Return a handler that raises nothing: Quart's error page would show variables."""

    async def handle_sealed(made: BaseRequestWebsocket) -> Any:
        try:
            return await handle(made)
        except Exception:
            app.logger.exception("%s %s met an unexpected error", made.method, made.path)
            return Response(problem(InternalServerError(FAULT)), 500, content_type=PROBLEM)

    return handle_sealed

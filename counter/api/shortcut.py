"""Plain hits answered in front of Quart, whose handling of a request costs more than counting.

A plain hit is a POST to a counter's hits without a body or a query, with an Idempotency-Key or
without one. All else, what goes wrong with a plain hit too, is Quart's to answer; so what a
caller gets is the same by either way.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from quart import Quart

from counter.api import wire
from counter.tally.hits import KEY, NAME, Hit
from counter.tally.tally import Tally

Scope = MutableMapping[str, Any]  # ASGI's, as are the messages
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PATH = re.compile(f"/api/v1/counters/({NAME.pattern})/hits", re.ASCII)
ERROR = "counter.error"  # where the request's scope has what became of the hit


def init_app(app: Quart) -> None:
    """Let `app` answer plain hits by the short cut while it serves."""
    quart: Any = app.asgi_app

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        hit, tally = plain_hit(scope), app.extensions.get("tally")
        if hit and tally:
            first = await receive()
            within = app.config["HIT_TIMEOUT"]
            if _is_empty(first) and await _count(hit, tally, within, scope, send):
                return
            receive = _again(first, receive)
        await quart(scope, receive, send)

    app.asgi_app = answer  # type: ignore[assignment, method-assign]  # Quart's way


def plain_hit(scope: Scope) -> Hit | None:
    """Return the hit of a request that may be a plain one: only its body is not known yet."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
        return None
    path = PATH.fullmatch(scope["path"])
    if not path or scope.get("root_path"):
        return None
    keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    key = keys[0].decode("latin-1") if keys else None
    if keys[1:] or (key is not None and not KEY.fullmatch(key)):
        return None
    return Hit(path[1], 1, key)


def error(scope: Mapping[str, Any]) -> Exception | None:
    """Return the error that the hit of this request has met, which is for Quart to answer."""
    return scope.get(ERROR)


async def _count(hit: Hit, tally: Tally, within: float, scope: Scope, send: Send) -> bool:
    """Count and answer; leave an error in the scope."""
    try:
        (number,) = await tally.count((hit,), within)
    except Exception as met:  # noqa: BLE001 (the view raises it again)
        scope[ERROR] = met
        return False
    body, headers = wire.one_answer(hit, number)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return True


def _is_empty(first: Message) -> bool:
    """Tell whether the first message of a request says that it has no body."""
    whole = first["type"] == "http.request" and not first.get("more_body")
    return whole and not first.get("body")


def _again(first: Message, receive: Receive) -> Receive:
    """Return what receives the first message once more, and then the others."""
    rest = [first]

    async def receive_again() -> Message:
        return rest.pop() if rest else await receive()

    return receive_again

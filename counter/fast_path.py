"""Answer plain hits in front of Quart, which costs more than counting does.

The modules whose views count decide which requests are plain and how to answer them. Quart answers
all others. Either way the caller gets the same answer, errors included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quart import Quart

from counter.batching.batcher import Batcher
from counter.hits import Counted, Hit, HitError
from counter.http_errors import to_http
from web.errors import answer_in_front
from web.incoming import Message, Receive, Scope, Send, prepend

Reply = tuple[bytes, list[tuple[bytes, bytes]]]  # the body, and all headers

OF_A_BODY = {b"content-length", b"transfer-encoding"}


@dataclass(slots=True)
class FastHit:
    """A plain request's hit and how to answer it, if the request has no body."""

    hit: Hit
    within: float  # seconds
    reply: Callable[[Hit, Counted], Reply]


def init_app(app: Quart, *matchers: Callable[[Quart, Scope], FastHit | None]) -> None:
    """Have `app` answer on the fast path each request that a matcher accepts, while it serves."""
    quart: Any = app.asgi_app

    async def asgi_app(scope: Scope, receive: Receive, send: Send) -> None:
        batcher = app.extensions.get("batcher")
        if batcher and scope["type"] == "http" and not scope.get("root_path"):
            for matcher in matchers:
                if (fast := matcher(app, scope)) and not _announces_a_body(scope):
                    first = await receive()
                    if _is_empty(first):
                        await _answer(app, fast, batcher, scope, send)
                        return
                    receive = prepend(first, receive)
                    break
        await quart(scope, receive, send)

    app.asgi_app = asgi_app  # type: ignore[assignment, method-assign]  # Quart's way


async def _answer(app: Quart, fast: FastHit, batcher: Batcher, scope: Scope, send: Send) -> None:
    """Count, and answer with the number or the error."""
    try:
        (counted,) = await batcher.count((fast.hit,), fast.within)
        status, (body, headers) = 200, fast.reply(fast.hit, counted)
    except Exception as error:  # noqa: BLE001 (nothing is lost)
        known = to_http(error) if isinstance(error, HitError) else error
        status, headers, body = await answer_in_front(app, scope, send, known)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _announces_a_body(scope: Scope) -> bool:
    """Tell whether a request may have a body, whose size and time Quart limits."""
    return any(name in OF_A_BODY and value != b"0" for name, value in scope["headers"])


def _is_empty(first: Message) -> bool:
    """Tell whether a request's first message shows that it has no body."""
    whole = first["type"] == "http.request" and not first.get("more_body")
    return whole and not first.get("body")

"""The JSON API's hits. What it reads and answers is in counter/api/wire.py."""

from quart import Blueprint, Quart, Response, current_app, request
from werkzeug.datastructures import Headers

from counter import batching
from counter.api import wire
from counter.api.checks import Pairs
from counter.fast_path import FastHit, Reply
from counter.hits import Counted, Hit
from web.incoming import Scope

hitting = Blueprint("hitting", __name__, url_prefix="/api/v1")

BEFORE_NAME, AFTER_NAME = "/api/v1/counters/", "/hits"  # in the path of a hit
KEY_HEADER = b"idempotency-key"


@hitting.post("/counters/<namespace>/<key>/hits")
async def hit_one(namespace: str, key: str) -> Response:
    """Count a hit on the counter that the path names."""
    hit = wire.one_hit(namespace, key, *await _sent())
    (counted,) = await _count([hit])
    return _response(wire.one_reply(hit, counted))


@hitting.post("/hits")
async def hit_many() -> Response:
    """Count all hits of the body, or none."""
    hits = wire.many_hits(*await _sent())
    return _response(wire.many_reply(hits, await _count(hits)))


def fast_hit(app: Quart, scope: Scope) -> FastHit | None:
    """Match a hit without a query, with an Idempotency-Key or without one."""
    if scope["method"] != "POST" or scope["query_string"]:
        return None
    path = scope["path"]
    if not (path.startswith(BEFORE_NAME) and path.endswith(AFTER_NAME)):
        return None
    if b"%" in scope.get("raw_path", b""):
        return None
    key = None
    for name, value in scope["headers"]:
        if name == KEY_HEADER:
            if key is not None:
                return None
            key = value.decode("latin-1")
    try:
        hit = Hit(path[len(BEFORE_NAME) : -len(AFTER_NAME)], 1, key)
    except ValueError:
        return None
    return FastHit(hit, app.config["HIT_TIMEOUT"], wire.one_reply)


async def _sent() -> tuple[bytes, Pairs, bytes]:
    body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    return request.query_string, request.scope["headers"], body


async def _count(hits: list[Hit]) -> list[Counted]:
    return await batching.current().count(hits, current_app.config["HIT_TIMEOUT"])


def _response(reply: Reply) -> Response:
    body, headers = reply
    pairs = [(name.decode(), value.decode()) for name, value in headers]
    return Response(body, headers=Headers(pairs))

"""The JSON API's hits. What it reads and answers is in counter/api/wire.py."""

from quart import Blueprint, Response, current_app, request
from werkzeug.datastructures import Headers

from counter import tally
from counter.api import shortcut, wire
from counter.api.checks import Pairs
from counter.tally.hits import Hit, Number

hitting = Blueprint("hitting", __name__, url_prefix="/api/v1")


@hitting.post("/counters/<namespace>/<key>/hits")
async def hit_one(namespace: str, key: str) -> Response:
    """Count a hit on the counter that the path names, or tell what the short cut met."""
    if error := shortcut.error(request.scope):
        raise error
    hit = wire.one_hit(namespace, key, *await _sent())
    (number,) = await _count([hit])
    return _response(wire.one_answer(hit, number))


@hitting.post("/hits")
async def hit_many() -> Response:
    """Count all hits of the body, or none."""
    hits = wire.many_hits(*await _sent())
    return _response(wire.many_answer(hits, await _count(hits)))


async def _sent() -> tuple[bytes, Pairs, bytes]:
    body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
    return request.query_string, request.scope["headers"], body


async def _count(hits: list[Hit]) -> list[Number]:
    return await tally.current().count(hits, current_app.config["HIT_TIMEOUT"])


def _response(answer: wire.Answer) -> Response:
    body, headers = answer
    pairs = [(name.decode(), value.decode()) for name, value in headers]
    return Response(body, headers=Headers(pairs))

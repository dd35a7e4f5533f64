"""The JSON API's hits."""

from quart import Blueprint, Quart, Response, current_app, request
from werkzeug.datastructures import Headers

from counter import batching
from counter.api.schemas import (
    CounterPath,
    HitBody,
    HitHeaders,
    HitOfManyResponse,
    HitResponse,
    HitResponseHeaders,
    HitsBody,
    HitsResponse,
)
from counter.fast_path import FastHit, Reply
from counter.hits import Counted, Hit
from web.errors import Invalid
from web.incoming import Scope
from web.openapi.bodies import LARGEST_BODY
from web.openapi.responses import json_response, returns
from web.openapi.validation import validate

hitting = Blueprint("hitting", __name__, url_prefix="/api/v1")

BEFORE_NAME, AFTER_NAME = "/api/v1/counters/", "/hits"  # in the path of a hit
KEY_HEADER = b"idempotency-key"
ERRORS = {
    "409": "A count would exceed 2^53 - 1. Nothing was counted.",
    "413": f"The body is larger than {LARGEST_BODY:,} bytes, or has more hits than the database"
    " accepts at a time. Nothing was counted.",
    "422": "The request is not valid, or an idempotency key was used with another `by`. Nothing"
    " was counted.",
    "503": "The database is unavailable or refuses the hits, or too many are waiting. `detail`"
    " says whether hits were counted. Hits with idempotency keys can always be sent again.",
}


@hitting.post("/counters/<namespace>/<key>/hits")
@validate(path=CounterPath, headers=HitHeaders, body=HitBody)
@returns(HitResponse, headers=HitResponseHeaders, errors=ERRORS)
async def hit(path: CounterPath, headers: HitHeaders, body: HitBody) -> Response:
    """Count a hit.

    Adds `by` to the counter, which its first hit creates, and returns the count right after the
    hit. No two hits get the same count. With an Idempotency-Key, the request can safely be sent
    again: for at least a day, it gets the same count and is not counted again.
    """
    hit = Hit(path.name, body.by, headers.idempotency_key)
    (counted,) = await _count([hit])
    content, pairs = one_reply(hit, counted)
    return Response(content, headers=Headers((n.decode(), v.decode()) for n, v in pairs))


@hitting.post("/hits")
@validate(body=HitsBody)
@returns(HitsResponse, errors=ERRORS)
async def hits(body: HitsBody) -> Response:
    """Count many hits.

    Counts all hits or none, and answers them in the order sent. Each may have an
    `idempotency_key`; `replayed` is true for those that were counted before. An Idempotency-Key
    header, for the whole request, is refused.
    """
    if "Idempotency-Key" in request.headers:
        problem = "is for a single hit: give each of these its idempotency_key instead"
        raise Invalid([("Idempotency-Key", problem)])
    hits = [Hit(hit.name, hit.by, hit.idempotency_key) for hit in body.hits]
    _refuse_repeated_keys(hits)
    answers = [
        HitOfManyResponse(
            namespace=hit.namespace, key=hit.key, count=counted.count, replayed=counted.replayed
        )
        for hit, counted in zip(body.hits, await _count(hits), strict=True)
    ]
    return json_response(HitsResponse(hits=answers))


def fast_hit(app: Quart, scope: Scope) -> FastHit | None:
    """Match a hit without a query; it may have an Idempotency-Key."""
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
    return FastHit(hit, app.config["HIT_TIMEOUT"], one_reply)


def one_reply(hit: Hit, counted: Counted) -> Reply:
    """Return the response to one hit; a header marks one that was counted before."""
    namespace, _, key = hit.name.partition("/")
    # A HitResponse, written by hand: the model takes longer than everything else here.
    body = f'{{"namespace":"{namespace}","key":"{key}","count":{counted.count}}}'.encode()
    return body, [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *([(b"idempotent-replayed", b"true")] if counted.replayed else []),
    ]


async def _count(hits: list[Hit]) -> list[Counted]:
    return await batching.current().count(hits, current_app.config["HIT_TIMEOUT"])


def _refuse_repeated_keys(hits: list[Hit]) -> None:
    first: dict[tuple[str, str], int] = {}  # the first position of each counter's key
    repeated = [
        n for n, hit in enumerate(hits) if hit.key and first.setdefault((hit.name, hit.key), n) != n
    ]
    if repeated:
        problem = "must be another one for each hit on the same counter"
        errors = [(f"hits.{n}.idempotency_key", problem) for n in repeated]
        raise Invalid(errors, len(errors))

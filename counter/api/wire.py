"""Hits as they come over HTTP and the answers that go back, without Quart."""

from collections.abc import Sequence

from counter.api import bodies, checks
from counter.api.answers import HitOfManyAnswer, HitsAnswer, names
from counter.api.checks import Pairs
from counter.api.schemas import HitRequest, HitsRequest
from counter.fast_path import Reply
from counter.hits import Counted, Hit
from web.errors import Invalid

# 1,000 hits of the longest names, indented and with every sign of a key escaped, are 0.4 MB.
LARGEST_BODY = 512 * 1024
REPEATED = "must be another one for each hit on the same counter"


def one_hit(namespace: str, key: str, query: bytes, headers: Pairs, body: bytes) -> Hit:
    """Return the hit of a request whose path names the counter.

    Raises Invalid, UnsupportedMediaType and BadRequest.
    """
    sent = checks.check(
        HitRequest,
        path={"namespace": namespace, "key": key},
        query=checks.query(query),
        header=checks.key_header(headers),
        body=bodies.read(headers, body),
    )
    return Hit(f"{namespace}/{key}", sent.body.by, sent.header.key)


def many_hits(query: bytes, headers: Pairs, body: bytes) -> list[Hit]:
    """Return the hits of a request that brings many.

    Raises Invalid, UnsupportedMediaType and BadRequest.
    """
    sent = checks.check(
        HitsRequest,
        query=checks.query(query),
        header=checks.key_header(headers),
        body=bodies.read(headers, body),
    )
    hits = [
        Hit(f"{hit.namespace}/{hit.key}", hit.by, hit.idempotency_key) for hit in sent.body.hits
    ]
    _refuse_repeated_keys(hits)
    return hits


def one_reply(hit: Hit, counted: Counted) -> Reply:
    """Return what answers one hit; a header tells of one that had been counted before."""
    replayed = [(b"idempotent-replayed", b"true")] if counted.replayed else []
    namespace, _, key = hit.name.partition("/")
    # A HitAnswer, written by hand: the model takes longer than all else here.
    body = f'{{"namespace":"{namespace}","key":"{key}","count":{counted.count}}}'
    return _reply(body.encode(), replayed)


def many_reply(hits: Sequence[Hit], results: Sequence[Counted]) -> Reply:
    """Return what answers many hits, in their order."""
    answers = [
        HitOfManyAnswer(**names(hit.name), count=counted.count, replayed=counted.replayed)
        for hit, counted in zip(hits, results, strict=True)
    ]
    return _reply(HitsAnswer(hits=answers).model_dump_json().encode())


def _refuse_repeated_keys(hits: Sequence[Hit]) -> None:
    first: dict[tuple[str, str], int] = {}  # where each counter's key stands first
    repeated = [
        n for n, hit in enumerate(hits) if hit.key and first.setdefault((hit.name, hit.key), n) != n
    ]
    if repeated:
        errors = [(f"hits.{n}.idempotency_key", REPEATED) for n in repeated]
        raise Invalid(errors, len(errors))


def _reply(body: bytes, more: Pairs = ()) -> Reply:
    return body, [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *more,
    ]

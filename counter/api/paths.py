"""What the API does, operation by operation: in words, with its schemas and an example."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from counter.api import answers, schemas
from counter.api.schemas import Model
from counter.api.wire import LARGEST_BODY

COUNTER = "/api/v1/counters/{namespace}/{key}"
BLOG = {"namespace": "blog", "key": "front-page"}
TIMES = {"created": "2026-11-20T08:15:00.271828Z", "updated": "2026-11-21T12:00:00.314159Z"}

ABOUT = (
    "Counts things, each exactly once.\n\n"
    "Counts are whole numbers. The numbers of JavaScript are exact up to 2^53 only: where counts"
    " may grow beyond that, let it read them with a parser that keeps large integers.\n\n"
    "Where GET is answered, HEAD is too. Fields and parameters that are not known, or given twice,"
    " are refused, never ignored. Every error is a problem document (RFC 9457). Where something"
    " that was sent is not valid, its `errors` name each field and say what it must be."
)
HEADERS = {
    "Idempotent-Replayed": {
        "description": "There, and true, where the hit had been counted before, and was not again.",
        "schema": {"const": "true"},
    },
    "Retry-After": {
        "description": "In how many seconds to try again.",
        "schema": {"type": "integer"},
    },
    "Allow": {
        "description": "After a wrong method, the right ones.",
        "schema": {"type": "string"},
    },
}
# Of each status what it means, and the header that comes with it.
ERRORS = {
    "400": ("The body is not JSON in UTF-8, or has far more than any request needs.",),
    "404": ("There is no such counter: the first hit makes it.",),
    "413": (
        f"The body is larger than {LARGEST_BODY:,} bytes, or its hits are more than the database"
        " takes at a time. Nothing was counted.",
    ),
    "415": ("The body is not declared as application/json, or is compressed.",),
    "422": (
        "What was sent is not valid, or an idempotency key was used with another `by`. Nothing was"
        " counted.",
    ),
    "503": (
        "The database is away or refuses the hits, or too many wait for it. `detail` tells whether"
        " hits were counted."
        " With idempotency keys, they can be sent again in any case.",
        "Retry-After",
    ),
    "default": ("Any other error, such as a wrong method or a fault of the server.", "Allow"),
}


@dataclass(frozen=True)
class Operation:
    """An operation; `sent` and `answered` are an example, with the parts that its schema has."""

    method: str
    path: str
    name: str
    summary: str
    description: str
    request: type[Model]
    answer: type[Model]
    errors: tuple[int, ...]
    sent: Mapping[str, Mapping[str, Any]]
    answered: Mapping[str, Any]
    headers: tuple[str, ...] = ()


HIT = Operation(
    "post",
    f"{COUNTER}/hits",
    "hit",
    "Count a hit",
    "Adds `by` to the counter, which its first hit makes, and answers its count right after that."
    " Every hit is given a count of its own. With an Idempotency-Key, the request can safely be"
    " sent again: for a day at least, it is answered the same count, and not counted again.",
    schemas.HitRequest,
    answers.HitAnswer,
    (400, 413, 415, 422, 503),
    {"path": BLOG, "header": {"Idempotency-Key": "8e03978e-40d5"}, "body": {"by": 3}},
    {**BLOG, "count": 45},
    headers=("Idempotent-Replayed",),
)
HITS = Operation(
    "post",
    "/api/v1/hits",
    "hits",
    "Count many hits",
    "Counts all hits, or none of them, and answers them in their order. Each may have an"
    " `idempotency_key`; `replayed` tells of those that were counted before. An Idempotency-Key"
    " for the whole request is refused.",
    schemas.HitsRequest,
    answers.HitsAnswer,
    (400, 413, 415, 422, 503),
    {
        "body": {
            "hits": [{**BLOG, "idempotency_key": "5c1b9a77"}, {**BLOG, "key": "about", "by": 2}]
        }
    },
    {
        "hits": [
            {**BLOG, "count": 46, "replayed": False},
            {**BLOG, "key": "about", "count": 2, "replayed": False},
        ]
    },
)
COUNTERS = Operation(
    "get",
    "/api/v1/counters",
    "counters",
    "List counters",
    "Shows a page of the counters, of one namespace or of all, in the ASCII order of"
    " `namespace/key`. `next` is the URL of the next page, or null on the last. A counter that is"
    " added meanwhile makes no other appear twice or go missing.",
    schemas.CountersRequest,
    answers.CountersAnswer,
    (422, 503),
    {"query": {"namespace": "blog", "limit": 1}},
    {
        "counters": [{**BLOG, "key": "about", "count": 2, **TIMES}],
        "next": "/api/v1/counters?namespace=blog&limit=1&after=blog/about",
    },
)
LOOK = Operation(
    "get",
    COUNTER,
    "counter",
    "Look at a counter",
    "Shows the counter, and counts nothing.",
    schemas.CounterRequest,
    answers.CounterAnswer,
    (404, 422, 503),
    {"path": BLOG},
    {**BLOG, "count": 46, **TIMES},
)
HOURS = Operation(
    "get",
    f"{COUNTER}/hours",
    "hours",
    "Look at a counter's hours",
    "Shows the hours in UTC that have hits and begin from `from` on and before `to`. `from` is"
    " rounded down to its hour, and is 7 days before `to` unless it is given; `to` is now. From"
    " one to the other are 366 days at most.",
    schemas.HoursRequest,
    answers.HoursAnswer,
    (404, 422, 503),
    {"path": BLOG, "query": {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T13:00:00+01:00"}},
    {
        **BLOG,
        "from": "2026-11-20T00:00:00Z",
        "to": "2026-11-21T12:00:00Z",
        "hours": [
            {"hour": "2026-11-20T08:00:00Z", "count": 42},
            {"hour": "2026-11-21T11:00:00Z", "count": 4},
        ],
    },
)
OPERATIONS = (HIT, HITS, LOOK, HOURS, COUNTERS)

"""The JSON API's reads of counters."""

from datetime import UTC, datetime, timedelta

from quart import Blueprint, Response, url_for
from werkzeug.exceptions import NotFound

from counter.api.schemas import (
    FIRST,
    CounterPath,
    CounterResponse,
    CountersQuery,
    CountersResponse,
    HourResponse,
    HoursQuery,
    HoursResponse,
)
from counter.models import Counter, read_counter, read_counters, read_hours
from db import transaction
from web.errors import Invalid
from web.openapi.responses import json_response, returns
from web.openapi.validation import validate

reading = Blueprint("reading", __name__, url_prefix="/api/v1")

NEVER_HIT = "There is no such counter: the first hit creates it."
BACK = timedelta(days=7)  # if `from` is not given
LONGEST = timedelta(days=366)


@reading.get("/counters/<namespace>/<key>")
@validate(path=CounterPath)
@returns(CounterResponse, errors={"404": NEVER_HIT})
async def counter(path: CounterPath) -> Response:
    """Read a counter.

    Returns the counter, and counts nothing.
    """
    async with transaction() as connection:
        found = await read_counter(connection, path.name)
    if not found:
        raise NotFound(NEVER_HIT)
    return json_response(_shown(found))


@reading.get("/counters/<namespace>/<key>/hours")
@validate(path=CounterPath, query=HoursQuery)
@returns(HoursResponse, errors={"404": NEVER_HIT})
async def hours(path: CounterPath, query: HoursQuery) -> Response:
    """Read a counter's hours.

    Returns the UTC hours that have hits and begin at or after `from` and before `to`. `from` is
    rounded down to the hour. By default, `to` is now and `from` is 7 days earlier. They may be at
    most 366 days apart.
    """
    start, end = _span(query)
    async with transaction() as connection:
        found = await read_counter(connection, path.name)
        counted = await read_hours(connection, path.name, start, end)
    if not found:
        raise NotFound(NEVER_HIT)
    shown = [HourResponse(hour=hour.replace(tzinfo=UTC), count=count) for hour, count in counted]
    response = {**path.model_dump(), "from": start, "to": end, "hours": shown}
    return json_response(HoursResponse.model_validate(response))


@reading.get("/counters")
@validate(query=CountersQuery)
@returns(CountersResponse)
async def counters(query: CountersQuery) -> Response:
    """List counters.

    Returns a page of the counters, of one namespace or all, in the ASCII order of
    `namespace/key`. `next` is the URL of the next page, or null on the last one. Counters that are
    added meanwhile make no other appear twice or go missing.
    """
    async with transaction() as connection:
        # One row beyond the page tells whether there is another page.
        rows = await read_counters(connection, query.namespace, query.after or "", query.limit + 1)
    shown = rows[: query.limit]
    following = None
    if rows[query.limit :]:
        sent = query.model_dump(exclude_unset=True) | {"after": shown[-1].name}
        following = url_for("reading.counters", **sent)
    return json_response(CountersResponse(counters=[_shown(row) for row in shown], next=following))


def _span(asked: HoursQuery) -> tuple[datetime, datetime]:
    """Return the first hour and the end; raise Invalid if the span is empty or too long."""
    end = asked.end or datetime.now(UTC)
    start = asked.start or max(end - BACK, FIRST)
    if asked.start and start >= end:
        raise Invalid([("from", "must be before to")])
    if end - start > LONGEST:
        raise Invalid([("from", f"must be at most {LONGEST.days} days before to")])
    return start.replace(minute=0, second=0, microsecond=0), end


def _shown(counter: Counter) -> CounterResponse:
    namespace, _, key = counter.name.partition("/")
    return CounterResponse(
        namespace=namespace,
        key=key,
        count=counter.count,
        created=counter.created.replace(tzinfo=UTC),
        updated=counter.updated.replace(tzinfo=UTC),
    )

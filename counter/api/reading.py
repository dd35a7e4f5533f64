"""The JSON API's looks at counters, which count nothing."""

from datetime import UTC, datetime, timedelta

from quart import Blueprint, Response, request, url_for
from werkzeug.exceptions import NotFound

from counter.api import checks
from counter.api.answers import CounterAnswer, CountersAnswer, HourAnswer, HoursAnswer, names
from counter.api.schemas import (
    FIRST,
    CounterRequest,
    CountersRequest,
    HoursQuery,
    HoursRequest,
    Model,
)
from counter.models import Counter, read_counter, read_counters, read_hours
from db import transaction
from web.errors import Invalid

reading = Blueprint("reading", __name__, url_prefix="/api/v1")

NEVER_HIT = "There is no such counter: the first hit makes it."
BACK = timedelta(days=7)  # where `from` is not given
LONGEST = timedelta(days=366)


@reading.get("/counters/<namespace>/<key>")
async def one(namespace: str, key: str) -> Response:
    """Show a counter."""
    path = {"namespace": namespace, "key": key}
    checks.check(CounterRequest, path=path, query=checks.query(request.query_string))
    async with transaction() as connection:
        counter = await read_counter(connection, f"{namespace}/{key}")
    if not counter:
        raise NotFound(NEVER_HIT)
    return _response(_shown(counter))


@reading.get("/counters/<namespace>/<key>/hours")
async def hours(namespace: str, key: str) -> Response:
    """Show in which hours a counter's hits came."""
    path = {"namespace": namespace, "key": key}
    asked = checks.check(HoursRequest, path=path, query=checks.query(request.query_string))
    start, end = _span(asked.query)
    name = f"{namespace}/{key}"
    async with transaction() as connection:
        counter = await read_counter(connection, name)
        counted = await read_hours(connection, name, start, end)
    if not counter:
        raise NotFound(NEVER_HIT)
    shown = [HourAnswer(hour=hour.replace(tzinfo=UTC), count=count) for hour, count in counted]
    return _response(HoursAnswer.model_validate({**path, "from": start, "to": end, "hours": shown}))


@reading.get("/counters")
async def many() -> Response:
    """Show a page of counters, and where the next page is."""
    asked = checks.check(CountersRequest, query=checks.query(request.query_string)).query
    async with transaction() as connection:
        # One more than the page has tells whether there is another page.
        rows = await read_counters(connection, asked.namespace, asked.after or "", asked.limit + 1)
    shown = rows[: asked.limit]
    following = None
    if rows[asked.limit :]:
        query = asked.model_dump(exclude_unset=True) | {"after": shown[-1].name}
        following = url_for("reading.many", **query)
    return _response(CountersAnswer(counters=[_shown(row) for row in shown], next=following))


def _span(asked: HoursQuery) -> tuple[datetime, datetime]:
    """Return from which hour on and until when; raise Invalid where that is no span, or long."""
    end = asked.end or datetime.now(UTC)
    start = asked.start or max(end - BACK, FIRST)
    if asked.start and start >= end:
        raise Invalid([("from", "must be before to")])
    if end - start > LONGEST:
        raise Invalid([("from", f"must be at most {LONGEST.days} days before to")])
    return start.replace(minute=0, second=0, microsecond=0), end


def _shown(counter: Counter) -> CounterAnswer:
    return CounterAnswer(
        **names(counter.name),
        count=counter.count,
        created=counter.created.replace(tzinfo=UTC),
        updated=counter.updated.replace(tzinfo=UTC),
    )


def _response(answer: Model) -> Response:
    return Response(answer.model_dump_json(by_alias=True), content_type="application/json")

"""Reads of counters through the API: counts, hours and pages."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection

from counter.api.reading import LONGEST
from counter.api.schemas import FIRST, HoursQuery
from counter.models import counter_table
from counter.testing import document, get_json, hit
from web.errors import Invalid
from web.openapi.validation import check, request_model

NAMES = "must be 1 to 64 of A-Z a-z 0-9 _ . -, not . or .. alone"
MOMENT = (
    "must be an RFC 3339 time such as 2026-11-21T12:00:00Z, from the year 1000 on, no leap second;"
    " in a URL, a + is %2B"
)
UNKNOWN = "is no parameter here: there is"
PARAMETERS = f"{UNKNOWN} namespace, after, limit"


async def test_a_counter_is_shown_with_its_times(create_test_client: Client, name: str) -> None:
    namespace, key = name.split("/")
    before = datetime.now(UTC)
    for by in (5, 2):
        await hit(create_test_client, name, by)
    shown = await get_json(create_test_client, f"/api/v1/counters/{name}")
    created, updated = (shown.pop(field) for field in ("created", "updated"))
    assert shown == {"namespace": namespace, "key": key, "count": 7}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", created)
    times = [before, *map(datetime.fromisoformat, (created, updated)), datetime.now(UTC)]
    assert times == sorted(times)


@pytest.mark.parametrize("path", ["", "/hours"])
async def test_a_counter_that_was_never_hit_is_not_found(
    create_test_client: Client, name: str, path: str
) -> None:
    response = await create_test_client.get(f"/api/v1/counters/{name}{path}")
    assert response.status_code == HTTPStatus.NOT_FOUND
    problem = await response.get_json()
    assert problem["detail"] == "There is no such counter: the first hit creates it."


@pytest.mark.parametrize("path", ["/api/v1/counters", "/api/v1/counters/{}", "{}/hours"])
async def test_head_is_get_without_the_body_and_a_post_is_not_allowed(
    create_test_client: Client, name: str, path: str
) -> None:
    await hit(create_test_client, name)
    path = path.format(f"/api/v1/counters/{name}" if path[0] == "{" else name)
    assert (await create_test_client.head(path)).status_code == HTTPStatus.OK
    response = await create_test_client.post(path)
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert response.content_type == "application/problem+json"
    assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("/a/b%20c", {"key": NAMES}),
        ("/a%20b/c/hours", {"namespace": NAMES}),
        ("/a/b?fields=count", {"fields": f"{UNKNOWN} none"}),
        ("/a/b/hours?since=0", {"since": f"{UNKNOWN} from, to"}),
        ("/a/b/hours?from=2026-11-21T12:00:00+01:00", {"from": MOMENT}),
        ("/a/b/hours?to=", {"to": MOMENT}),
        (
            "/a/b/hours?from=2026-11-21T12:00:00Z&to=2026-11-21T13:00:00%2B01:00",
            {"from": "must be before to"},
        ),
        (
            "/a/b/hours?from=2025-11-20T11:59:59Z&to=2026-11-21T12:00:00Z",
            {"from": "must be at most 366 days before to"},
        ),
        ("?limit=0", {"limit": "must be a whole number from 1 to 1,000"}),
        ("?limit=1001", {"limit": "must be a whole number from 1 to 1,000"}),
        ("?limit=1_0", {"limit": "must be a whole number from 1 to 1,000"}),
        ("?limit=%2B1", {"limit": "must be a whole number from 1 to 1,000"}),
        ("?limit=%D9%A3", {"limit": "must be a whole number from 1 to 1,000"}),
        (f"?limit={'9' * 5000}", {"limit": "must be a whole number from 1 to 1,000"}),
        ("?limit=1&limit=2", {"limit": "must be given once"}),
        ("?namespace=", {"namespace": NAMES}),
        ("?namespace=a%25", {"namespace": NAMES}),
        ("?after=a", {"after": "must be the namespace/key of a counter"}),
        ("?page=2&%FF=1", {"page": PARAMETERS, "�": PARAMETERS}),
    ],
)
async def test_what_is_asked_wrongly_is_refused_field_by_field(
    create_test_client: Client, path: str, problems: dict[str, str]
) -> None:
    response = await create_test_client.get(f"/api/v1/counters{path}")
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    errors = (await response.get_json())["errors"]
    assert {error["field"]: error["problem"] for error in errors} == problems


async def test_hours_add_up_to_the_count(create_test_client: Client, name: str) -> None:
    for by in (5, 2):
        await hit(create_test_client, name, by)
    shown = await get_json(create_test_client, f"/api/v1/counters/{name}/hours")
    assert sum(hour["count"] for hour in shown["hours"]) == 7
    to = datetime.fromisoformat(shown["to"])
    start = (to - timedelta(days=7)).replace(minute=0, second=0, microsecond=0)
    assert datetime.fromisoformat(shown["from"]) == start


async def test_hours_are_those_from_the_first_to_before_the_last(
    create_test_client: Client, name: str, other_connection: Connection
) -> None:
    namespace, key = name.split("/")
    await hit(create_test_client, name)
    day = datetime(2025, 6, 1, tzinfo=UTC)
    for hour in (9, 10, 12, 13):
        begin = day.replace(hour=hour, tzinfo=None)
        row = {"name": name, "hour": begin, "count": hour, "created": begin, "updated": begin}
        other_connection.execute(counter_table.insert().values(**row))
    query = {"from": "2025-06-01T12:59:59.9+02:00", "to": "2025-06-01T13:00:00z"}
    shown = await get_json(create_test_client, f"/api/v1/counters/{name}/hours", **query)
    assert shown == {
        "namespace": namespace,
        "key": key,
        "from": "2025-06-01T10:00:00Z",
        "to": "2025-06-01T13:00:00Z",
        "hours": [
            {"hour": "2025-06-01T10:00:00Z", "count": 10},
            {"hour": "2025-06-01T12:00:00Z", "count": 12},
        ],
    }


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def document_takes(time: str) -> bool:
    """Tell whether a time is valid according to the document."""
    about = document()["paths"]["/api/v1/counters/{namespace}/{key}/hours"]["get"]["parameters"]
    (schema,) = (each["schema"] for each in about if each["name"] == "to")
    validator = OAS31Validator(schema, format_checker=oas31_format_checker)
    valid: bool = validator.is_valid(time)
    return valid


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21T12:00:00Z", NOON),
        ("2026-11-21t12:00:00z", NOON),
        ("2026-11-21T12:00:00-00:00", NOON),
        ("2026-11-21T11:59:59.9999999999Z", NOON - timedelta(microseconds=1)),
        ("2026-11-22T11:59:00+23:59", NOON),
        ("2026-11-20T12:01:00-23:59", NOON),
        ("1000-01-01T00:00:00Z", FIRST),
        ("1000-01-01T00:30:00+00:30", FIRST),
        ("1000-01-01T00:00:00+00:01", None),
        ("0999-12-31T22:30:00-01:30", None),
        ("0999-12-31T23:59:59Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-00:01", None),
        ("2016-12-31T23:59:60Z", None),  # a leap second
        ("2026-11-21T12:00:00+00:60", None),
        ("2026-11-21T12:00:00-00:99", None),
        ("2026-11-21T12:00:00+24:00", None),
        ("2026-11-21T12:00:00+01", None),
        ("2026-11-21T12:00:00+0100", None),
        ("2026-11-21T12:00:00+01:00:00", None),
        ("2026-11-21T12:00:00 Z", None),
        ("2026-11-21T12:00:00.Z", None),
        ("2026-11-21T12:00:00,5Z", None),
        ("2026-11-21T12:00Z", None),
        ("2026-11-21T24:00:00Z", None),
        ("2026-11-21T23:60:00Z", None),
        ("2026-11-21 12:00:00Z", None),
        ("2026-02-29T12:00:00Z", None),
        ("2026-13-01T12:00:00Z", None),
        ("2026-W47-6T12:00:00Z", None),
        ("2026-11-21", None),
        ("2026-11-21T12:00:00", None),
        ("1795262400", None),
        ("20261121T120000Z", None),
        ("+2026-11-21T12:00:00Z", None),
        ("2026-11-21T12:00:00Z\n", None),
        ("٢026-11-21T12:00:00Z", None),
    ],
)
def test_a_time_is_one_of_rfc_3339_by_the_reader_and_the_document(
    text: str, moment: datetime | None
) -> None:
    model, sent = request_model(query=HoursQuery), {"query": {"to": text}}
    if moment:
        assert document_takes(text)
        assert check(model, sent).query.end == moment
    else:
        with pytest.raises(Invalid) as refused:
            check(model, sent)
        assert refused.value.errors == [("to", MOMENT)]
        # No schema can say that an offset exceeds the years, and Python's `$` allows \n after it.
        assert not document_takes(text) or text.endswith(("+00:01", "-00:01", "\n"))


@pytest.mark.parametrize(
    ("end", "start"),
    [
        ("1000-01-01T00:00:00Z", "1000-01-01T00:00:00Z"),
        ("1000-01-03T00:00:00Z", "1000-01-01T00:00:00Z"),
        ("1000-01-09T00:59:59Z", "1000-01-02T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-24T23:00:00Z"),
    ],
)
async def test_hours_may_lie_anywhere_in_mysqls_years(
    create_test_client: Client, name: str, end: str, start: str
) -> None:
    await hit(create_test_client, name)
    path = f"/api/v1/counters/{name}/hours"
    shown = await get_json(create_test_client, path, to=end)
    assert (shown["from"], shown["to"], shown["hours"]) == (start, end, [])


async def test_the_longest_span_is_366_days(create_test_client: Client, name: str) -> None:
    await hit(create_test_client, name)
    path = f"/api/v1/counters/{name}/hours"
    now = datetime.now(UTC)
    span = {"from": (now - LONGEST).isoformat(), "to": now.isoformat()}
    assert len((await get_json(create_test_client, path, **span))["hours"]) == 1

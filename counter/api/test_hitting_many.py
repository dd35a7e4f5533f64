"""Many hits in one request: all are counted, or none."""

import json
from http import HTTPStatus
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection

from counter.api.schemas import KEY_RULE
from counter.batching.sql import ALL
from counter.hits import MAX_COUNT
from counter.testing import JSON, Query, count_of, get_json, hit, refusals
from web.openapi.bodies import LARGEST_BODY

NAMES = "must be 1 to 64 of A-Z a-z 0-9 _ . -, not . or .. alone"
HITS = "must be a list of 1 to 1,000 hits"


def sent(name: str, **more: object) -> dict[str, object]:
    """Return a hit in the form of the body."""
    namespace, key = name.split("/")
    return {"namespace": namespace, "key": key, **more}


async def test_hits_are_answered_in_their_order(
    create_test_client: Client, name: str, query: Query
) -> None:
    other = f"{name}.other"
    hits = [sent(name), sent(other, by=5), sent(name, by=2, idempotency_key=None)]
    response = await create_test_client.post("/api/v1/hits", json={"hits": hits})
    assert response.status_code == HTTPStatus.OK
    assert response.content_type == "application/json"
    counts = [(name, 1), (other, 5), (name, 3)]
    assert await response.get_json() == {
        "hits": [sent(name, count=count, replayed=False) for name, count in counts]
    }
    assert [query(count_of(name)) for name in (name, other)] == [3, 5]


async def test_the_most_hits_of_the_longest_names_fit_and_one_more_is_refused(
    create_test_client: Client, query: Query
) -> None:
    namespace = "n" * 64
    hits = [
        sent(f"{namespace}/{n:k>64}", by=1_000_000, idempotency_key='"' * 64) for n in range(1000)
    ]
    body = json.dumps({"hits": hits}, indent=4)
    assert LARGEST_BODY / 2 < len(body) < LARGEST_BODY
    response = await create_test_client.post("/api/v1/hits", data=body, headers=JSON)
    assert response.status_code == HTTPStatus.OK
    assert len((await response.get_json())["hits"]) == 1000
    hits.append(sent(f"{namespace}/one-more"))
    assert await refusals(create_test_client, "hits", json={"hits": hits}) == {"hits": HITS}
    total = query(
        f"SELECT SUM(count) FROM counter WHERE hour = {ALL} AND name LIKE '{namespace}/%%'"
    )
    assert total == 1000 * 1_000_000


@pytest.mark.parametrize(
    ("wrong", "field", "problem"),
    [
        ({"key": "a b"}, "hits.1.key", NAMES),
        ({"namespace": ""}, "hits.1.namespace", NAMES),
        ({"by": 0}, "hits.1.by", "must be a whole number from 1 to 1,000,000"),
        ({"idempotency_key": " "}, "hits.1.idempotency_key", f"must be {KEY_RULE}"),
        ({"count": 1}, "hits.1.count", "is no field here: there is namespace, key, by, "),
        ("a/b", "hits.1", "must be an object"),
        (None, "hits.1", "must be an object"),
    ],
)
async def test_one_hit_that_is_not_valid_keeps_all_from_being_counted(
    create_test_client: Client, name: str, query: Query, wrong: Any, field: str, problem: str
) -> None:
    second = sent(name) | wrong if isinstance(wrong, dict) else wrong
    body = {"hits": [sent(name), second, sent(name)]}
    problems = await refusals(create_test_client, "hits", json=body)
    assert list(problems) == [field]
    assert problems[field].startswith(problem)
    assert query(count_of(name)) is None


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"hits": f"is missing: it {HITS}"}),
        ({"hits": []}, {"hits": HITS}),
        ({"hits": {}}, {"hits": HITS}),
        ({"hits": None, "by": 1}, {"hits": HITS, "by": "is no field here: there is hits"}),
        (
            {"hits": [{}]},
            {f"hits.0.{part}": f"is missing: it {NAMES}" for part in ("namespace", "key")},
        ),
        ([], {"body": "must be an object"}),
    ],
)
async def test_a_body_that_is_no_list_of_hits_is_refused(
    create_test_client: Client, body: object, problems: dict[str, str]
) -> None:
    assert await refusals(create_test_client, "hits", json=body) == problems


async def test_a_key_for_the_whole_request_is_refused(
    create_test_client: Client, name: str, query: Query
) -> None:
    # If it were ignored, a retry would count all hits again.
    problems = await refusals(
        create_test_client,
        "hits",
        json={"hits": [sent(name)]},
        headers={"Idempotency-Key": "all"},
    )
    wanted = "is for a single hit: give each of these its idempotency_key instead"
    assert problems == {"Idempotency-Key": wanted}
    assert query(count_of(name)) is None


async def test_a_key_that_comes_twice_is_refused(
    create_test_client: Client, name: str, query: Query
) -> None:
    keyed = sent(name, idempotency_key="k")
    hits = [keyed, sent(f"{name}.other", idempotency_key="k"), keyed, sent(name), keyed]
    problems = await refusals(create_test_client, "hits", json={"hits": hits})
    wanted = "must be another one for each hit on the same counter"
    assert problems == {f"hits.{n}.idempotency_key": wanted for n in (2, 4)}
    assert query(count_of(name)) is None


async def test_a_hit_beyond_the_largest_count_keeps_all_from_being_counted(
    create_test_client: Client, name: str, query: Query, other_connection: Connection
) -> None:
    full = f"{name}.full"
    await hit(create_test_client, full)
    other_connection.exec_driver_sql(
        f"UPDATE counter SET count = {MAX_COUNT - 1} WHERE hour = {ALL} AND name = '{full}'"
    )
    body = {"hits": [sent(name), sent(full), sent(full)]}
    response = await create_test_client.post("/api/v1/hits", json=body)
    assert response.status_code == HTTPStatus.CONFLICT
    assert (
        "exceed 9,007,199,254,740,991. Nothing was counted."
        in ((await response.get_json())["detail"])
    )
    assert query(count_of(name)) is None
    count = query(f"SELECT count FROM counter WHERE hour = {ALL} AND name = '{full}'")
    assert count == MAX_COUNT - 1
    path = f"/api/v1/counters/{full}"
    responses = [await create_test_client.post(f"{path}/hits") for _ in range(2)]
    assert [r.status_code for r in responses] == [HTTPStatus.OK, HTTPStatus.CONFLICT]
    assert (await get_json(create_test_client, path))["count"] == MAX_COUNT

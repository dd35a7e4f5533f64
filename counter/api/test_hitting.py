"""Hits through the API: counted as requested, or refused with the reason."""

import asyncio
import gzip
import time
from http import HTTPStatus

import pytest
from quart import Quart, request
from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection
from werkzeug.datastructures import Headers

from application import create_app
from counter.testing import BATCH, JSON, Query, count_of, refusals
from tests.support.proxy import Proxy
from throwaway_mysql import Database
from web.openapi.bodies import LARGEST_BODY

FORM = "application/x-www-form-urlencoded"
GZIP = {**JSON, "Content-Encoding": "gzip"}
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
FROM_1 = "must be a whole number from 1 to 1,000,000"
NAMES = "must be 1 to 64 of A-Z a-z 0-9 _ . -, not . or .. alone"


async def test_a_hit_is_answered_with_the_count(
    create_test_client: Client, name: str, query: Query
) -> None:
    namespace, key = name.split("/")
    for body, count in ({}, 1), ({"json": {}}, 2), ({"json": {"by": 1_000_000}}, 1_000_002):
        response = await create_test_client.post(f"/api/v1/counters/{name}/hits", **body)
        assert response.status_code == HTTPStatus.OK
        answered = await response.get_data(as_text=True)
        assert answered == f'{{"namespace":"{namespace}","key":"{key}","count":{count}}}'
    assert query(count_of(name)) == 1_000_002


async def test_the_answer_to_a_hit_has_these_headers_and_no_others(
    create_test_client: Client, name: str
) -> None:
    response = await create_test_client.post(f"/api/v1/counters/{name}/hits")
    assert {header.lower(): value for header, value in response.headers.items()} == {
        "content-type": "application/json",
        "content-length": str(len(await response.get_data())),
        "cache-control": "no-store",
    }


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ('{"by": 0}', "by", FROM_1),
        ('{"by": 1, "by": 7}', "by", "must be given once"),
        (f'{{"by": {10**30}}}', "by", FROM_1),
        ('{"by": true}', "by", FROM_1),
        ('{"add": 1}', "add", "is no field here: there is by"),
        (f'{{"{"x" * 500}": 1}}', "x" * 100, "is no field here: there is by"),
        ("[]", "body", "must be an object"),
        ("null", "body", "must be an object"),
    ],
)
async def test_a_body_that_is_no_hit_is_refused_and_counts_nothing(
    create_test_client: Client, name: str, query: Query, body: str, field: str, problem: str
) -> None:
    path = f"counters/{name}/hits"
    problems = await refusals(create_test_client, path, data=body, headers=JSON)
    assert problems == {field: problem}
    assert query(count_of(name)) is None


@pytest.mark.parametrize(
    ("path", "problems"),
    [
        ("counters/a%20b/c/hits", {"namespace": NAMES}),
        ("counters/a/%0A/hits", {"key": NAMES}),
        ("counters/a/b%0A/hits", {"key": NAMES}),
        ("counters/a/%C3%A9/hits", {"key": NAMES}),
        ("counters/a/%FF/hits", {"key": NAMES}),
        (f"counters/{'n' * 65}/{'k' * 65}/hits", {"namespace": NAMES, "key": NAMES}),
        ("counters/a/b/hits?by=5", {"by": "is no parameter here: there is none"}),
        ("hits?by=5&by=6", {"by": "is no parameter here: there is none"}),
    ],
)
async def test_a_path_that_is_not_valid_is_refused(
    create_test_client: Client, path: str, problems: dict[str, str]
) -> None:
    body = {"hits": [{"namespace": "a", "key": "b"}]} if path.startswith("hits") else {}
    assert await refusals(create_test_client, path, json=body) == problems


@pytest.mark.parametrize(
    "values", [[""], ["a b"], ["\xe9"], ["x" * 65], ["a\tb"], ["twice", "twice"]]
)
async def test_an_idempotency_key_that_is_not_valid_is_refused(
    create_test_client: Client, name: str, query: Query, values: list[str]
) -> None:
    sent = Headers([("Idempotency-Key", value) for value in values])
    problems = await refusals(create_test_client, f"counters/{name}/hits", headers=sent)
    allowed = "1 to 64 visible ASCII characters, no space"
    wanted = "must be given once" if values[1:] else f"must be {allowed}"
    assert problems == {"Idempotency-Key": wanted}
    assert query(count_of(name)) is None


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, HTTPStatus.BAD_REQUEST),
        (b" ", JSON, HTTPStatus.BAD_REQUEST),
        (b'{"by": "\xff"}', JSON, HTTPStatus.BAD_REQUEST),
        (b'{"by": 1}', {}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b"by=1", {"Content-Type": FORM}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b'{"by": 1}', {"Content-Type": "text/json"}, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b'{"by": 1}', GZIP, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (gzip.compress(b'{"by": 1}', mtime=0), GZIP, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        (b" " * (LARGEST_BODY + 1), JSON, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    ],
)
@pytest.mark.parametrize("path", ["counters/{}/hits", "hits"])
async def test_a_body_that_cannot_be_read_is_a_problem_and_counts_nothing(
    create_test_client: Client,
    name: str,
    query: Query,
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: HTTPStatus,
) -> None:
    url = f"/api/v1/{path.format(name)}"
    response = await create_test_client.post(url, data=body, headers=headers | BROWSER)
    assert response.status_code == status
    assert response.content_type == "application/problem+json"
    assert (await response.get_json())["detail"]
    assert query(count_of(name)) is None


async def test_a_body_without_a_length_is_limited_too(
    create_test_app: Quart, name: str, query: Query
) -> None:
    sent = create_test_app.test_client().request(f"/api/v1/counters/{name}/hits", method="POST")
    async with sent as connection:
        for _ in range(9):  # no Content-Length announces the size
            await connection.send(b" " * (LARGEST_BODY // 8))
        await connection.send_complete()
    response = await connection.as_response()
    assert response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert query(count_of(name)) is None


async def test_an_upload_that_is_not_for_the_api_may_be_larger(create_db: Database) -> None:
    app = create_app(**create_db)

    @app.post("/upload")
    async def upload() -> str:
        return str(len(await request.get_data(as_text=False)))

    response = await app.test_client().post("/upload", data=b" " * (2 * LARGEST_BODY))
    assert await response.get_data(as_text=True) == str(2 * LARGEST_BODY)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON ;x=y"])
async def test_json_may_be_declared_with_parameters(
    create_test_client: Client, name: str, kind: str
) -> None:
    response = await create_test_client.post(
        f"/api/v1/counters/{name}/hits",
        data=b'{"by": 7}',
        headers={"Content-Type": kind, "Content-Encoding": "Identity"},
    )
    assert (await response.get_json())["count"] == 7


async def test_a_hit_waits_no_longer_than_hit_timeout_and_is_told_what_became_of_it(
    create_test_app: Quart, name: str, other_connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(create_test_app.config, "HIT_TIMEOUT", 0.2)
    other_connection.exec_driver_sql("LOCK TABLES counter WRITE")
    start = time.monotonic()
    try:
        response = await create_test_app.test_client().post(f"/api/v1/counters/{name}/hits")
    finally:
        took = time.monotonic() - start
        other_connection.exec_driver_sql("UNLOCK TABLES")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(response.headers["Retry-After"]) > 0
    assert response.content_type == "application/problem+json"
    assert "may have been counted" in (await response.get_json())["detail"]
    assert took < 30  # the limit elsewhere is 60


async def test_a_connection_that_is_silent_leaves_time_for_another_whatever_the_page_may_take(
    create_db: Database, proxy: Proxy, name: str
) -> None:
    silent = False

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        nonlocal silent
        if to_server and BATCH in packet and not silent:
            silent = True
            await asyncio.Event().wait()

    times = {"DB_TIMEOUT": 60, "HIT_TIMEOUT": 4}
    app = create_app(**{**create_db, **proxy.address, **times})
    async with app.test_app():
        proxy.watch = watch
        response = await app.test_client().post(f"/api/v1/counters/{name}/hits")
    assert response.status_code == HTTPStatus.OK

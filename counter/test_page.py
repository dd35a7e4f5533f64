"""The page that counts."""

import re
from http import HTTPStatus

import pytest
from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection

from counter.models import counter_table
from counter.testing import stored_count


async def view(client: Client) -> int:
    """View the page and return the number on it."""
    response = await client.get("/")
    assert response.content_type == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"
    body = await response.get_data(as_text=True)
    found = re.search(r"<h1>Counter: (\d+)</h1>", body)
    assert found, body
    return int(found[1])


async def test_each_view_shows_the_next_number_and_the_table_agrees(
    create_test_client: Client, other_connection: Connection
) -> None:
    before = stored_count(other_connection)
    assert [await view(create_test_client) for _ in range(3)] == [before + n for n in (1, 2, 3)]
    assert stored_count(other_connection) == before + 3


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("head", {}, HTTPStatus.OK),
        ("post", {}, HTTPStatus.METHOD_NOT_ALLOWED),
        # A prefetched page would be shown later without being counted.
        ("get", {"Sec-Purpose": "prefetch"}, HTTPStatus.SERVICE_UNAVAILABLE),
        ("get", {"Sec-Purpose": "prefetch;prerender"}, HTTPStatus.SERVICE_UNAVAILABLE),
        ("get", {"Purpose": "prefetch"}, HTTPStatus.SERVICE_UNAVAILABLE),
        ("get", {"X-Moz": "prefetch"}, HTTPStatus.SERVICE_UNAVAILABLE),
    ],
)
async def test_what_is_no_view_counts_nothing(
    create_test_client: Client,
    other_connection: Connection,
    method: str,
    headers: dict[str, str],
    status: HTTPStatus,
) -> None:
    before = stored_count(other_connection)
    response = await getattr(create_test_client, method)("/", headers=headers)
    assert response.status_code == status
    assert stored_count(other_connection) == before
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))


async def test_an_emptied_table_counts_from_one(
    create_test_client: Client, other_connection: Connection
) -> None:
    other_connection.execute(counter_table.delete())
    response = await create_test_client.head("/")
    assert response.status_code == HTTPStatus.OK
    assert response.headers["Cache-Control"] == "no-store"
    assert [await view(create_test_client) for _ in range(2)] == [1, 2]

"""The page that counts."""

import re
from http import HTTPStatus

import pytest
from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection

from counter.hits import MAX_COUNT
from counter.models import counter_table
from counter.testing import stored_count


async def view(client: Client) -> int:
    """View the page and return the number on it."""
    body = await (await client.get("/")).get_data(as_text=True)
    found = re.search(r"<h1>Counter: (\d+)</h1>", body)
    assert found, body
    return int(found[1])


async def test_each_view_shows_the_next_number_and_the_table_agrees(
    create_test_client: Client, other_connection: Connection
) -> None:
    before = stored_count(other_connection)
    assert [await view(create_test_client) for _ in range(3)] == [before + n for n in (1, 2, 3)]
    assert stored_count(other_connection) == before + 3


async def test_the_page_is_html_that_no_cache_keeps(
    create_test_client: Client,
) -> None:
    response = await create_test_client.get("/")
    assert response.status_code == HTTPStatus.OK
    assert response.content_type == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"


async def test_the_files_that_the_page_names_are_served(
    create_test_client: Client,
) -> None:
    body = await (await create_test_client.get("/")).get_data(as_text=True)
    files = re.findall(r'<link .*?href="(.+?)"', body)
    assert len(files) == 2
    for file in files:
        assert (await create_test_client.get(file)).status_code == HTTPStatus.OK


async def test_head_counts_nothing(
    create_test_client: Client, other_connection: Connection
) -> None:
    before = stored_count(other_connection)
    response = await create_test_client.head("/")
    assert response.status_code == HTTPStatus.OK
    assert response.headers["Cache-Control"] == "no-store"
    assert stored_count(other_connection) == before


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Purpose", "prefetch"),
        ("X-Moz", "prefetch"),
    ],
)
async def test_a_prefetch_is_refused_and_counts_nothing(
    create_test_client: Client, other_connection: Connection, header: str, value: str
) -> None:
    before = stored_count(other_connection)
    response = await create_test_client.get("/", headers={header: value})
    # A page that was given in advance would be shown later without being counted.
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert stored_count(other_connection) == before


async def test_post_is_not_allowed_and_counts_nothing(
    create_test_client: Client, other_connection: Connection
) -> None:
    before = stored_count(other_connection)
    response = await create_test_client.post("/")
    assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert {"GET", "HEAD"} <= {name.strip() for name in response.headers["Allow"].split(",")}
    assert stored_count(other_connection) == before


async def test_an_emptied_table_counts_from_one(
    create_test_client: Client, other_connection: Connection
) -> None:
    other_connection.execute(counter_table.delete())
    assert (await create_test_client.head("/")).status_code == HTTPStatus.OK
    assert [await view(create_test_client) for _ in range(2)] == [1, 2]


async def test_the_page_counts_up_to_the_largest_count(
    create_test_client: Client, other_connection: Connection
) -> None:
    await view(create_test_client)
    other_connection.execute(counter_table.update().values(count=MAX_COUNT - 1))
    assert await view(create_test_client) == MAX_COUNT
    response = await create_test_client.get("/", headers={"Accept": "text/html"})
    assert response.status_code == HTTPStatus.CONFLICT
    assert "Nothing was counted." in await response.get_data(as_text=True)

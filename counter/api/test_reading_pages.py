"""Pages of counters, each with a link to the next."""

from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from counter.testing import get_json, hit


@pytest.fixture
def namespace(name: str) -> str:
    """Return a namespace that no other test uses."""
    return name.replace("/", "-")


async def pages(client: Client, **query: Any) -> list[list[str]]:
    """Return the names on each page, following the links."""
    found, link = [], "/api/v1/counters"
    while link:
        page = await get_json(client, link, **query)
        found.append([f"{shown['namespace']}/{shown['key']}" for shown in page["counters"]])
        link, query = page["next"], {}
    return found


async def test_pages_are_in_the_order_of_names_and_hold_a_namespace_only(
    create_test_client: Client, namespace: str
) -> None:
    assert await pages(create_test_client, namespace=namespace) == [[]]
    names = [f"{namespace}/{key}" for key in ("-", ".-", "0", "A", "Z", "_", "a", "a-", "a0", "z")]
    other_connection = [f"{namespace}{more}/a" for more in ("-", ".", "0", "A")]
    for name in reversed(names + other_connection):
        await hit(create_test_client, name)
    for limit in (1, 3, 10, 11):
        found = await pages(create_test_client, namespace=namespace, limit=limit)
        assert [name for page in found for name in page] == names
        assert {len(page) for page in found[:-1]} <= {limit}
        assert 1 <= len(found[-1]) <= limit
    every = [name for page in await pages(create_test_client, limit=7) for name in page]
    assert every == sorted(every)
    assert set(names + other_connection) <= set(every)


async def test_pages_neither_skip_nor_repeat_while_counters_are_added(
    create_test_client: Client, namespace: str
) -> None:
    names = [f"{namespace}/{key:02}" for key in range(0, 20, 2)]
    for name in names:
        await hit(create_test_client, name)
    found, link, query = [], "/api/v1/counters", {"namespace": namespace, "limit": "3"}
    while link:
        page = await get_json(create_test_client, link, **query)
        found += [f"{namespace}/{shown['key']}" for shown in page["counters"]]
        for name in (f"{namespace}/-{len(found)}", f"{found[-1]}-"):  # passed already, and to come
            await hit(create_test_client, name)
        link, query = page["next"], {}
    assert [name for name in found if name in names] == names
    assert len(set(found)) == len(found)

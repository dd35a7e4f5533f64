"""Below a root path, set by a proxy or the server program, every URL begins with it."""

import html
import json
import re
from http import HTTPStatus
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

ROOT = "/stats"
BROWSER = {"Accept": "text/html"}


async def get(client: Client, url: str, **options: Any) -> Any:
    """Request a URL as servers pass it on: with the root path in front."""
    assert url.startswith(f"{ROOT}/"), url
    return await client.get(url, root_path=ROOT, **options)


@pytest.mark.parametrize("page", ["/", "/docs", "/nothing"])
@pytest.mark.parametrize("before", [False, True], ids=["first", "after one at the root"])
async def test_links_of_pages_lead_somewhere(
    create_test_client: Client,
    page: str,
    before: bool,  # noqa: FBT001
) -> None:
    if before:
        await create_test_client.get(page, headers=BROWSER)
    body = await (await get(create_test_client, ROOT + page, headers=BROWSER)).get_data(
        as_text=True
    )
    links = [link for link in re.findall(r'\b(?:href|src)="(.*?)"', body) if link[0] != "#"]
    assert len(links) > 2
    for link in links:
        assert (await get(create_test_client, link)).status_code == HTTPStatus.OK
    at_the_root = await (await create_test_client.get(page, headers=BROWSER)).get_data(as_text=True)
    assert ROOT not in at_the_root


async def test_the_description_says_where_the_api_is(create_test_client: Client) -> None:
    response = await get(create_test_client, f"{ROOT}/openapi.json")
    document = json.loads(await response.get_data(as_text=True))
    assert document["servers"] == [{"url": ROOT}]
    headers = {"Host": "web_1:5000"}
    page = await get(create_test_client, f"{ROOT}/docs", headers=headers)
    body = html.unescape(await page.get_data(as_text=True))
    commands = re.findall(r"curl '?(\S+?)['\s<]", body)
    assert len(commands) == sum(map(len, document["paths"].values()))
    assert all(command.startswith(f"http://web_1:5000{ROOT}/api/v1/") for command in commands)


async def test_hits_count_and_pages_of_counters_go_on(create_test_client: Client) -> None:
    for key in "ab":
        response = await create_test_client.post(
            f"{ROOT}/api/v1/counters/root/{key}/hits", root_path=ROOT
        )
        assert response.status_code == HTTPStatus.OK
    url, keys = f"{ROOT}/api/v1/counters?namespace=root&limit=1", []
    while url:
        shown = await (await get(create_test_client, url)).get_json()
        keys += [counter["key"] for counter in shown["counters"]]
        url = shown["next"]
    assert keys == ["a", "b"]

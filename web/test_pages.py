"""What all pages share: they are fresh, and need no thread."""

import asyncio
from http import HTTPStatus
from typing import Never

import pytest
from quart.typing import TestClientProtocol as Client


async def test_pages_are_not_kept_and_files_are(create_test_client: Client) -> None:
    page = await create_test_client.get("/")
    assert page.headers["Cache-Control"] == "no-store"
    file = await create_test_client.get("/static/page.css")
    assert file.status_code == HTTPStatus.OK
    assert file.headers["Cache-Control"] != "no-store"


async def test_a_page_does_not_wait_for_a_thread(
    create_test_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Never:
        raise AssertionError("a thread was asked for")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    assert (await create_test_client.get("/")).status_code == HTTPStatus.OK

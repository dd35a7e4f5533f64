"""What all pages share: they are fresh, and need no thread."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Never

import pytest
from quart import Blueprint, render_template
from quart.typing import TestClientProtocol as Client

from application import create_app
from throwaway_mysql import Database


@pytest.fixture
async def client(create_db: Database) -> AsyncIterator[Client]:
    """Start an app with a page of a blueprint's."""
    pages = Blueprint("pages", __name__)

    @pages.get("/page")
    async def page() -> str:
        return await render_template("error.html", title="None", detail="")

    app = create_app(**create_db)
    app.register_blueprint(pages)
    async with app.test_app():
        yield app.test_client()


async def test_pages_are_not_kept_and_files_are(client: Client) -> None:
    page = await client.get("/page")
    assert page.headers["Cache-Control"] == "no-store"
    file = await client.get("/static/page.css")
    assert file.status_code == HTTPStatus.OK
    assert file.headers["Cache-Control"] != "no-store"


async def test_a_page_does_not_wait_for_a_thread(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Never:
        raise AssertionError("a thread was asked for")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    response = await client.get("/page", headers={"Cookie": "a=cookie"})
    assert response.status_code == HTTPStatus.OK

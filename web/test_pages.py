"""What all pages share: they are fresh, and need no thread."""

import asyncio
from http import HTTPStatus
from typing import Never

import pytest
from quart import session
from quart.typing import TestClientProtocol as Client

from application import create_app
from throwaway_mysql.databases.database import Coordinates


async def test_pages_are_not_kept_and_files_are(create_test_client: Client) -> None:
    page = await create_test_client.get("/")
    assert page.headers["Cache-Control"] == "no-store"
    file = await create_test_client.get("/static/page.css")
    assert file.status_code == HTTPStatus.OK
    assert file.headers["Cache-Control"] != "no-store"


async def test_a_session_is_kept_and_a_forged_one_is_not(create_db: Coordinates) -> None:
    app = create_app(**create_db)

    @app.get("/visits")
    async def visits() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    client = app.test_client()
    said = [await (await client.get("/visits")).get_data(as_text=True) for _ in range(3)]
    assert said == ["1", "2", "3"]
    forged = app.test_client()
    forged.set_cookie("localhost", "session", "eyJ2aXNpdHMiOjk5fQ.aaaa.bbbb")
    assert await (await forged.get("/visits")).get_data(as_text=True) == "1"


async def test_a_page_does_not_wait_for_a_thread(
    create_test_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Never:
        raise AssertionError("a thread was asked for")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    # With a cookie it is Quart's to answer, whether or not the page was rendered before.
    response = await create_test_client.get("/", headers={"Cookie": "a=cookie"})
    assert response.status_code == HTTPStatus.OK

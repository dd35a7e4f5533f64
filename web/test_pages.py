"""All pages: they are not cached, and need no thread."""

import asyncio
from http import HTTPStatus
from typing import Never

import pytest
from quart import Blueprint, render_template

from application import create_app
from throwaway_mysql import Database


async def test_a_page_is_fresh_and_waits_for_no_thread_while_files_are_kept(
    create_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Never:
        raise AssertionError("a thread was asked for")

    async def page() -> str:
        return await render_template("error.html", title="None", detail="")

    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/page", view_func=page)
    app = create_app(**create_db)
    app.register_blueprint(pages)
    async with app.test_app():
        client = app.test_client()
        file = await client.get("/static/page.css")
        monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
        shown = await client.get("/page", headers={"Cookie": "a=cookie"})
        monkeypatch.undo()
    assert (file.status_code, shown.status_code) == (HTTPStatus.OK, HTTPStatus.OK)
    assert file.headers["Cache-Control"] != "no-store"
    assert shown.headers["Cache-Control"] == "no-store"

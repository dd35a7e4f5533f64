"""Errors are answered in the form that the caller accepts."""

import json
from http import HTTPStatus

import pytest
from quart import Quart, Response
from quart.testing import WebsocketResponseError
from quart.typing import TestClientProtocol as Client

from application import create_app
from throwaway_mysql import Database
from web.errors import MAX_ERRORS, PROBLEM, Invalid, problem

HIDDEN = "s3cret-in-a-variable"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def broken_app(create_db: Database) -> Quart:
    """Return an app whose views fail, one of them late, while a variable holds a secret."""
    app = create_app(**{**create_db, "TESTING": False})

    @app.get("/broken")
    @app.get("/api/broken")
    async def broken() -> str:
        held = HIDDEN
        raise LookupError(f"no such thing among {len(held)}")

    @app.get("/broken/later")
    async def broken_later() -> Response:
        return Response("", headers={"Broken": HIDDEN})

    @app.after_request
    async def fail(response: Response) -> Response:
        if "Broken" in response.headers:
            await broken()
        return response

    return app


async def test_an_unknown_page_is_a_page_for_a_browser(create_test_client: Client) -> None:
    response = await create_test_client.get("/nothing", headers=BROWSER)
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert response.content_type == "text/html; charset=utf-8"
    assert "<h1>Not Found</h1>" in await response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("method", "path", "accept", "status"),
    [
        ("get", "/nothing", "application/json", HTTPStatus.NOT_FOUND),
        ("get", "/nothing", PROBLEM, HTTPStatus.NOT_FOUND),
        ("delete", "/health/live", PROBLEM, HTTPStatus.METHOD_NOT_ALLOWED),
        # There are no pages below /api/, even for a browser.
        ("get", "/api/nothing", BROWSER["Accept"], HTTPStatus.NOT_FOUND),
        ("get", "/api/broken", BROWSER["Accept"], HTTPStatus.INTERNAL_SERVER_ERROR),
    ],
)
async def test_an_error_is_a_problem_for_a_program(
    broken_app: Quart, method: str, path: str, accept: str, status: HTTPStatus
) -> None:
    ask = getattr(broken_app.test_client(), method)
    response = await ask(path, headers={"Accept": accept})
    assert response.status_code == status
    assert response.content_type == PROBLEM
    problem = await response.get_json()
    assert problem.pop("detail")
    assert problem == {"type": "about:blank", "title": status.phrase, "status": status}
    assert ("Allow" in response.headers) == (status == HTTPStatus.METHOD_NOT_ALLOWED)


def test_a_request_with_very_many_errors_is_told_of_the_first() -> None:
    errors = [(f"hits.{n}.by", "must be 1") for n in range(1, 2001)]
    document = json.loads(problem(Invalid(errors, len(errors))))
    assert document["detail"] == "hits.1.by must be 1. It is the first of 2,000 errors."
    assert len(document["errors"]) == MAX_ERRORS
    assert document["errors"][0] == {"field": "hits.1.by", "problem": "must be 1"}


async def test_a_websocket_is_refused_quietly(
    create_test_client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("/", "/nothing"):
        with pytest.raises(WebsocketResponseError) as refusal:
            async with create_test_client.websocket(path) as websocket:
                await websocket.receive()
        assert refusal.value.response.status_code in (400, 404)
    assert caplog.text == ""


@pytest.mark.parametrize("mode", ["production", "debug", "testing"])
@pytest.mark.parametrize("path", ["/broken", "/broken/later"])
async def test_a_fault_is_logged_and_shows_no_variables(
    broken_app: Quart, caplog: pytest.LogCaptureFixture, mode: str, path: str
) -> None:
    setattr(broken_app, mode, True)  # the first means nothing
    response = await broken_app.test_client().get(path, headers=BROWSER)
    assert response.status_code == HTTPStatus.INTERNAL_SERVER_ERROR
    body = await response.get_data(as_text=True)
    assert "Internal Server Error" in body
    assert HIDDEN not in body
    assert "LookupError" not in body
    assert "LookupError: no such thing among" in caplog.text

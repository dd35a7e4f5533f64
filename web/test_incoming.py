"""An invalid request gets an ordinary error, and no redirect leads to another host."""

import asyncio
import json
from http import HTTPStatus

import pytest
from quart import Quart, request, websocket
from quart.testing import WebsocketResponseError
from werkzeug.datastructures import Headers

from application import create_app
from throwaway_mysql import Database
from web.errors import PROBLEM
from web.incoming import HOST

BROWSER = {"Accept": "text/html"}
# The attribute of an app that is set: the first means nothing, the others are for development.
MODES = ["production", "debug", "testing"]
HTML = "text/html"
AWAITED = 60.0  # seconds


async def say() -> str:
    """Answer a request's body."""
    return str(await request.get_data(as_text=True))


@pytest.fixture
def app(create_db: Database) -> Quart:
    """Return the app with more views."""
    app = create_app(**{**create_db, "TESTING": False})
    app.add_url_rule("/said", view_func=say, methods=["POST"])

    @app.get("/<path:anything>/there/")
    async def there(anything: str) -> str:
        return anything

    @app.websocket("/greeting")
    async def greeting() -> None:
        await websocket.send("hello")

    return app


@pytest.mark.parametrize(
    ("headers", "part"),
    [({}, b"{"), ({"Upgrade": "h2c"}, b""), ({"Upgrade": "h2c"}, b"{")],
    ids=["begun", "with an upgrade", "begun, with an upgrade"],
)
async def test_a_body_that_does_not_come_is_given_up(
    app: Quart, headers: dict[str, str], part: bytes
) -> None:
    app.config["BODY_TIMEOUT"] = 0.05
    headers = {**headers, "Content-Length": "5"}
    client = app.test_client()
    async with (
        asyncio.timeout(AWAITED),
        client.request("/said", method="POST", headers=headers) as connection,
    ):
        await connection.send(part)
        problem = json.loads(await connection.receive())
    assert problem["status"] == HTTPStatus.REQUEST_TIMEOUT


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        *((host, True) for host in ("", "localhost", "127.0.0.1:5000", "[::1]:5000", ":80")),
        *((host, True) for host in ("web_1.Example.org.", "x" * 63 + ".org:", "xn--9ca.org")),
        *((host, False) for host in ("a..b", ".", "x" * 64 + ".org", "a:b", "a b", "a/b", "a@b")),
        *((host, False) for host in ("[::1", "::1", "\u00e9.org", "a\n", "a:123456")),
    ],
)
def test_a_host_is_a_name_or_an_address(host: str, is_one: bool) -> None:  # noqa: FBT001
    assert bool(HOST.fullmatch(host)) == is_one


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hosts", [["a..b"], ["\u00e9"], ["localhost", "localhost"]])
async def test_a_bad_host_is_an_error_like_others(
    app: Quart, caplog: pytest.LogCaptureFixture, hosts: list[str], mode: str
) -> None:
    setattr(app, mode, True)
    client, bad = app.test_client(), [("Host", host) for host in hosts]
    for path, kind in [("/", HTML), ("/static/a", HTML), ("/api/v1/counters", PROBLEM)]:
        response = await client.get(path, headers=Headers([*BROWSER.items(), *bad]))
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert response.mimetype == kind
        assert "The Host header must be" in await response.get_data(as_text=True)
    with pytest.raises(WebsocketResponseError) as refusal:
        async with client.websocket("/greeting", headers=Headers(bad)) as connection:
            await connection.receive()
    assert refusal.value.response.status_code == HTTPStatus.BAD_REQUEST
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://a/health/live", HTTPStatus.OK),
        ("HTTPS://a:1/health/live", HTTPStatus.OK),
        ("http://a/nothing", HTTPStatus.NOT_FOUND),
        ("*", HTTPStatus.BAD_REQUEST),
        ("", HTTPStatus.BAD_REQUEST),
        ("a:443", HTTPStatus.BAD_REQUEST),
        ("health/live", HTTPStatus.BAD_REQUEST),
    ],
)
async def test_a_target_is_a_path_or_the_url_of_one(
    app: Quart, target: str, status: HTTPStatus
) -> None:
    assert (await app.test_client().get(target)).status_code == status


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("//evil.example/..", None),
        ("/api//v1/counters", None),
        ("/%2Fevil.example/..", None),
        ("/a/there", "/a/there/"),
        ("//evil.example/there", "/evil.example/there/"),
        ("/%5Cevil.example/there", "/%5Cevil.example/there/"),
        ("/a/there?b=/c", "/a/there/?b=/c"),
    ],
)
async def test_a_redirect_stays_on_the_host(app: Quart, path: str, leads_to: str | None) -> None:
    for root in ("", "/stats"):
        response = await app.test_client().get(
            root + path, headers={"Host": "evil.example"}, root_path=root
        )
        assert response.headers.get("Location") == (leads_to and root + leads_to)
        assert "//evil.example" not in await response.get_data(as_text=True)
        assert (response.status_code == HTTPStatus.NOT_FOUND) == (leads_to is None)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Length": "5"}, "", HTTPStatus.BAD_REQUEST),
        ({"Transfer-Encoding": "chunked"}, "", HTTPStatus.BAD_REQUEST),
        ({"Content-Length": "5"}, "fives", HTTPStatus.OK),
        ({"Transfer-Encoding": "chunked"}, "some", HTTPStatus.OK),
        ({}, "", HTTPStatus.OK),
    ],
)
async def test_a_body_that_did_not_come_keeps_a_request_from_its_view(
    app: Quart, headers: dict[str, str], body: str, status: HTTPStatus
) -> None:
    seen = []

    @app.post("/seen")
    async def see() -> str:
        seen.append(await request.get_data(as_text=True))
        return ""

    upgrade = {"Connection": "keep-alive, Upgrade", "Upgrade": "h2c"}
    response = await app.test_client().post("/seen", headers={**headers, **upgrade}, data=body)
    assert response.status_code == status
    came = status == HTTPStatus.OK
    assert seen == [body] * came
    assert response.headers.get("Connection") == (None if came else "close")


async def test_a_body_that_comes_late_is_not_lost(app: Quart) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "h2c", "Content-Length": "5"}
    client = app.test_client()
    async with client.request("/said", method="POST", headers=headers) as connection:
        for part in (b"", b"late", b"r"):
            await connection.send(part)
        await connection.send_complete()
        assert await connection.receive() == b"later"

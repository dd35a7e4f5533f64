"""Static files and other bodies: any range and any name is answered."""

from http import HTTPStatus
from io import BytesIO
from pathlib import Path

import pytest
from quart import Response, make_response, request, send_file
from quart.typing import TestClientProtocol as Client

from application import create_app

CONTENT = b"0123456789"


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Return a client of the app, with a body of each kind."""
    app = create_app()
    app.static_folder = str(tmp_path)
    (tmp_path / "digits").write_bytes(CONTENT)
    (tmp_path / "empty").touch()

    @app.get("/stream")
    async def stream() -> Response:
        return await send_file(BytesIO(CONTENT), mimetype="text/plain", conditional=True)

    @app.get("/data")
    async def data() -> Response:
        response: Response = await make_response(CONTENT)  # type: ignore[assignment]
        await response.make_conditional(request, accept_ranges=True, complete_length=len(CONTENT))
        return response

    return app.test_client()


@pytest.mark.parametrize("path", ["/static/digits", "/stream", "/data"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=2-4", b"234"),
        ("bytes=8-", b"89"),
        ("bytes=8-99", b"89"),
        ("bytes=-3", b"789"),
        ("bytes=-10", CONTENT),
        ("bytes=-99", CONTENT),
        (f"bytes=-{'9' * 5000}", None),
        ("bytes=-0", None),
        ("bytes=5-2", None),
        ("bytes=10-", None),
        (f"bytes={'9' * 5000}-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=x", None),
        ("lines=1-2", None),
    ],
)
async def test_a_range_is_given_or_not_satisfiable(
    client: Client, path: str, asked: str, expected: bytes | None
) -> None:
    response = await client.get(path, headers={"Range": asked})
    if expected is None:
        assert response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        return
    assert response.status_code == HTTPStatus.PARTIAL_CONTENT
    assert await response.get_data(as_text=False) == expected
    assert response.content_length == len(expected)
    first = CONTENT.index(expected)
    assert response.headers["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/10"


async def test_no_range_of_an_empty_file_is_given(client: Client) -> None:
    response = await client.get("/static/empty", headers={"Range": "bytes=-5"})
    assert response.status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    "name", ["n" * 256, "n/" * 3000, "a%00b", "%ff", "%ed%a0%80", "..", "../digits", "%2e%2e/", ""]
)
async def test_a_name_of_no_file_is_not_found(
    client: Client, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    response = await client.get(f"/static/{name}")
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert caplog.text == ""

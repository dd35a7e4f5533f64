"""Static files: every range and every name gets an answer."""

from http import HTTPStatus
from pathlib import Path

import pytest
from quart.typing import TestClientProtocol as Client

from application import create_app

CONTENT = b"0123456789"
BEYOND = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """Return a client of an app with a file of ten digits."""
    app = create_app()
    app.static_folder = str(tmp_path)
    (tmp_path / "digits").write_bytes(CONTENT)
    return app.test_client()


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        ("bytes=2-4", HTTPStatus.PARTIAL_CONTENT, b"234"),
        ("bytes=8-99", HTTPStatus.PARTIAL_CONTENT, b"89"),
        ("bytes=-3", HTTPStatus.OK, CONTENT),  # ignored, as any range may be
        (f"Bytes = -{'9' * 5000}", HTTPStatus.OK, CONTENT),
        ("bytes=10-", BEYOND, None),
        (f"bytes={'9' * 5000}-", BEYOND, None),
        ("bytes=x", BEYOND, None),
    ],
)
async def test_a_range_is_given_ignored_or_not_satisfiable(
    client: Client, asked: str, status: HTTPStatus, expected: bytes | None
) -> None:
    response = await client.get("/static/digits", headers={"Range": asked})
    assert response.status_code == status
    assert expected in (None, await response.get_data(as_text=False))


@pytest.mark.parametrize(
    "name", ["n" * 256, "n/" * 3000, "a%00b", "%ff", "%ed%a0%80", "..", "../digits", "%2e%2e/", ""]
)
async def test_a_name_of_no_file_is_not_found(
    client: Client, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    response = await client.get(f"/static/{name}")
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert caplog.text == ""

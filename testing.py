"""What several test modules use: databases, a look into them, the page and the API over HTTP."""

import asyncio
import http.client
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

import settings
from counter.tally.packet import ALL
from counter.tally.tally import BOUND, Tally
from counter.tally.writer import Writer
from db import connect, url
from harness.database import Coordinates, throwaway_database
from harness.login import Login
from harness.migrations import migrate
from harness.relay import CutError

PROJECT = Path(__file__).parent
ALEMBIC_INI = PROJECT / "alembic.ini"
BATCH = b"INSERT INTO receipt"  # is in the packet of a batch only
COMMITTED = 3  # the number of the packet that answers COMMIT, where there is one counter
JSON = {"Content-Type": "application/json"}
PROGRAMS = Path(sys.executable).parent


@contextmanager
def migrated_database(login: Login) -> Iterator[Coordinates]:
    """Make a throwaway database with the newest schema."""
    with throwaway_database(login, settings.DATABASE_NAME) as coordinates:
        migrate(url(coordinates, "mysql+pymysql"), ALEMBIC_INI)
        yield coordinates


@contextmanager
def connected(coordinates: Coordinates) -> Iterator[Connection]:
    """Connect to a database beside the app; each statement is committed at once."""
    engine = create_engine(
        url(coordinates, "mysql+pymysql"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    with engine.connect() as connection:
        yield connection


def stored_count(connection: Connection) -> int:
    """Return what the counter's table says."""
    return connection.scalar(text(f"SELECT count FROM counter WHERE hour = {ALL}")) or 0


def view(client: http.client.HTTPConnection) -> int:
    """View the page and return the number on it."""
    client.request("GET", "/")
    response = client.getresponse()
    body = response.read().decode()
    found = re.search(r"<h1>Counter: (\d+)</h1>", body)
    assert found, (response.status, body)
    return int(found[1])


@asynccontextmanager
async def tallying(
    coordinates: Coordinates, *, limit: float = 5, bound: int = BOUND, **changes: object
) -> AsyncIterator[Tally]:
    """Run a tally on the database."""
    config = {**coordinates, **changes}
    tally = Tally(Writer(lambda: connect(config), limit), bound)
    try:
        yield tally
    finally:
        await tally.close(within=5)


def count_of(name: str) -> str:
    """Return the query for a counter's count, which finds it where the hours agree."""
    return (
        f"SELECT count FROM counter WHERE hour = {ALL} AND name = '{name}' AND count - start ="
        f" (SELECT SUM(count) FROM counter WHERE hour != {ALL} AND name = '{name}')"
    )


async def hit(client: Client, name: str, by: int = 1) -> None:
    """Count through the API."""
    response = await client.post(f"/api/v1/counters/{name}/hits", json={"by": by})
    assert response.status_code == HTTPStatus.OK


async def get_json(client: Client, path: str, **query: Any) -> Any:
    """Return what the API shows."""
    response = await client.get(path, query_string=query or None)
    assert response.status_code == HTTPStatus.OK, await response.get_data(as_text=True)
    assert response.content_type == "application/json"
    return await response.get_json()


async def refusals(client: Client, path: str, **sent: Any) -> dict[str, str]:
    """Send what is not valid; return what is told of each field."""
    response = await client.post(f"/api/v1/{path}", **sent)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert response.content_type == "application/problem+json"
    problem = await response.get_json()
    first = problem["errors"][0]
    assert problem["detail"].startswith(f"{first['field']} {first['problem']}.")
    return {error["field"]: error["problem"] for error in problem["errors"]}


def cut_once(
    place: Callable[[bytes, bool], bool], done: asyncio.Event | None = None
) -> Callable[[bytes, bool], Awaitable[None]]:
    """Return what cuts the connection at the first packet that `place` takes; it sets `done`."""
    done = done or asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        if not done.is_set() and place(packet, to_server):
            done.set()
            raise CutError

    return watch


def nth_answer(number: int) -> Callable[[bytes, bool], bool]:
    """Take the packet of that number among those that answer a batch, from 1."""
    answers: list[bytes] | None = None

    def place(packet: bytes, to_server: bool) -> bool:  # noqa: FBT001
        nonlocal answers
        if to_server:
            answers = [] if BATCH in packet else None
        elif answers is not None:
            answers.append(packet)
        return answers is not None and len(answers) == number

    return place

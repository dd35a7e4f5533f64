"""Helpers for tests of the counter: its page, its API, its tables, a batcher."""

import asyncio
import http.client
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from typing import Any

from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection, text

from application import create_app
from counter.batching.batcher import CAPACITY, Batcher
from counter.batching.sql import ALL
from counter.batching.writer import Writer
from counter.hits import Counted, Hit
from db import connect
from tests.support.proxy import CutError
from throwaway_mysql import Database

BATCH = b"INSERT INTO receipt"  # only a batch's packet has it
COMMITTED = 3  # which packet of the answer is COMMIT's, for a batch of one counter
WITHIN = 60.0  # seconds
JSON = {"Content-Type": "application/json"}

Query = Callable[[str], Any]  # queries the database for one value


def view(client: http.client.HTTPConnection) -> int:
    """View the page and return the number on it."""
    client.request("GET", "/")
    response = client.getresponse()
    body = response.read().decode()
    found = re.search(r"<h1>Counter: (\d+)</h1>", body)
    assert found, (response.status, body)
    return int(found[1])


def stored_count(connection: Connection) -> int:
    """Return the page's count from the table."""
    return connection.scalar(text(f"SELECT count FROM counter WHERE hour = {ALL}")) or 0


def count_of(name: str) -> str:
    """Return the query for a counter's count; it finds a row only if the hours add up to it."""
    return (
        f"SELECT count FROM counter WHERE hour = {ALL} AND name = '{name}' AND count - start ="
        f" (SELECT SUM(count) FROM counter WHERE hour != {ALL} AND name = '{name}')"
    )


class PatientBatcher(Batcher):
    """A batcher with deadlines long enough for a slow machine."""

    async def count(self, hits: Sequence[Hit], within: float = WITHIN) -> list[Counted]:
        """Count, with a long deadline by default."""
        return await super().count(hits, within)

    async def hit(self, name: str, by: int = 1, within: float = WITHIN) -> int:
        """Count one hit; return the count right after it."""
        (counted,) = await self.count([Hit(name, by)], within)
        return counted.count


def start_counter(connection: Connection, name: str, count: int) -> None:
    """Make a counter that starts with a count."""
    values = f"({ALL}, '{name}', {count}, {count}, UTC_TIMESTAMP(), UTC_TIMESTAMP())"
    columns = "hour, name, count, start, created, updated"
    connection.exec_driver_sql(f"INSERT INTO counter ({columns}) VALUES {values}")


@asynccontextmanager
async def running_batcher(
    coordinates: Database, *, limit: float = 30, capacity: int = CAPACITY, **changes: object
) -> AsyncIterator[PatientBatcher]:
    """Run a batcher on the database."""
    config = {**coordinates, **changes}
    batcher = PatientBatcher(Writer(lambda: connect(config, limit), limit), capacity)
    try:
        yield batcher
    finally:
        await batcher.close(within=WITHIN)


async def hit(client: Client, name: str, by: int = 1) -> None:
    """Count through the API."""
    response = await client.post(f"/api/v1/counters/{name}/hits", json={"by": by})
    assert response.status_code == HTTPStatus.OK


async def get_json(client: Client, path: str, **query: Any) -> Any:
    """Return the JSON that the API answers at a path."""
    response = await client.get(path, query_string=query or None)
    assert response.status_code == HTTPStatus.OK, await response.get_data(as_text=True)
    assert response.content_type == "application/json"
    return await response.get_json()


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    app = create_app()  # quart-schema holds no reference to it
    made: dict[str, Any] = app.extensions["QUART_SCHEMA"].openapi_provider.schema()
    return made


async def refusals(client: Client, path: str, **sent: Any) -> dict[str, str]:
    """Send an invalid request; return the problem of each field."""
    response = await client.post(f"/api/v1/{path}", **sent)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert response.content_type == "application/problem+json"
    problem = await response.get_json()
    first = problem["errors"][0]
    assert problem["detail"].startswith(f"{first['field']} {first['problem']}.")
    return {error["field"]: error["problem"] for error in problem["errors"]}


def cut_once(
    matches: Callable[[bytes, bool], bool], done: asyncio.Event | None = None
) -> Callable[[bytes, bool], Awaitable[None]]:
    """Return a watcher that cuts the connection at the first matching packet, and sets `done`."""
    done = done or asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        if not done.is_set() and matches(packet, to_server):
            done.set()
            raise CutError

    return watch


def nth_answer(number: int) -> Callable[[bytes, bool], bool]:
    """Match the packet of this number, from 1, among those that answer a batch."""
    answers: list[bytes] | None = None

    def matches(packet: bytes, to_server: bool) -> bool:  # noqa: FBT001 (as it is called)
        nonlocal answers
        if to_server:
            answers = [] if BATCH in packet else None
        elif answers is not None:
            answers.append(packet)
        return answers is not None and len(answers) == number

    return matches


class LateBatch:
    """Holds a batch's first packet until `late` is set; the answer then sets `through`."""

    def __init__(self, answer: bytes = b"") -> None:
        self.late, self.through = asyncio.Event(), asyncio.Event()
        self._answer, self._held = answer, False

    async def watch(self, packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        """Watch the packets of a proxy."""
        if to_server and BATCH in packet and not self._held:
            self._held = True
            await self.late.wait()
        elif self.late.is_set() and not to_server and self._answer in packet:
            self.through.set()

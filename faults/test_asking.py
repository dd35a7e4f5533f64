"""What a client makes of an answer, of none, and of a connection that nobody takes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from faults.asking import HOME, send
from faults.ledger import Answer, Hit, Outcome
from faults.link import Link
from throwaway_mysql.servers.port import free_port

HIT = Hit("a/b")


@asynccontextmanager
async def answering(status: int, body: str) -> AsyncIterator[Link]:
    """Give every request this answer; with status 0, hang up on it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode() if status else b"")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        link = Link(server.sockets[0].getsockname()[1])
        yield link
        link.close()


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, '{"namespace": "a", "key": "b", "count": 7}', Outcome.COUNTED),
        (503, '{"detail": "The database is away. The hit was not counted."}', Outcome.REFUSED),
        (503, '{"detail": "The hit may have been counted."}', Outcome.UNKNOWN),
        (0, "", Outcome.UNKNOWN),
    ],
)
async def test_an_answer_of_the_app_is_understood(status: int, body: str, outcome: Outcome) -> None:
    async with answering(status, body) as link:
        answer = await send(link, (HIT,))
    assert answer.outcome is outcome
    assert answer.counts == ((7,) if status == 200 else ())
    assert not answer.wrong


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, '{"detail": "Something went wrong here."}'),
        (503, '{"detail": "The database is away."}'),
        (503, "Service Unavailable"),
        (200, '{"namespace": "a", "key": "other", "count": 7}'),
        (200, "<h1>Counter: 7</h1>"),
    ],
)
async def test_any_other_answer_is_wrong_and_leaves_the_hit_unknown(status: int, body: str) -> None:
    async with answering(status, body) as link:
        answer = await send(link, (HIT,))
    assert answer.outcome is Outcome.UNKNOWN
    assert answer.wrong


async def test_the_number_on_the_page_is_read() -> None:
    async with answering(200, "<h1>Counter: 12</h1>") as link:
        assert await send(link, (Hit(HOME),)) == Answer(Outcome.COUNTED, (12,))


async def test_a_request_that_nobody_takes_is_known_not_to_be_counted() -> None:
    assert (await send(Link(free_port()), (HIT,))).outcome is Outcome.REFUSED


async def test_a_missing_answer_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faults.asking.PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = Link(silent.getsockname()[1])
        answer = await send(link, (HIT,))
    assert answer.outcome is Outcome.UNKNOWN
    assert answer.wrong

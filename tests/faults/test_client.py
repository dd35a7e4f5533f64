"""A client understands an answer, the lack of one, and a connection that nobody takes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from tests.faults.client import Client
from tests.faults.history import HOME, History, Hit, Operation, Outcome
from tests.faults.workload import UPGRADE
from tests.support.listening import listening

HIT = Hit("a/b")


async def invoke(port: int, hit: Hit, headers: Mapping[str, str] = {}) -> Operation:
    """Send a hit to a port."""
    client = Client("test", [port], History(), headers)
    try:
        return await client.invoke((hit,))
    finally:
        client.close()


@asynccontextmanager
async def answering(status: int, body: str, requests: list[bytes]) -> AsyncIterator[int]:
    """Answer every request like this; with status 0, hang up on it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode() if status else b"")
        writer.close()

    async with listening(answer) as port:
        yield port


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, '{"namespace": "a", "key": "b", "count": 7}', Outcome.OK),
        (503, '{"detail": "The database is away. The hit was not counted."}', Outcome.FAIL),
        (503, '{"detail": "The hit may have been counted."}', Outcome.INFO),
        (0, "", Outcome.INFO),
    ],
)
async def test_an_answer_of_the_app_is_understood(status: int, body: str, outcome: Outcome) -> None:
    async with answering(status, body, []) as port:
        operation = await invoke(port, HIT)
    assert operation.outcome is outcome
    assert operation.counts == ((7,) if status == 200 else ())
    assert not operation.unexpected


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
async def test_any_other_answer_is_unexpected_and_leaves_the_hit_unknown(
    status: int, body: str
) -> None:
    async with answering(status, body, []) as port:
        operation = await invoke(port, HIT)
    assert operation.outcome is Outcome.INFO
    assert operation.unexpected


async def test_the_number_on_the_page_is_read() -> None:
    async with answering(200, "<h1>Counter: 12</h1>", []) as port:
        operation = await invoke(port, Hit(HOME))
    assert (operation.outcome, operation.counts) == (Outcome.OK, (12,))


async def test_an_upgrade_is_offered_and_the_body_sent() -> None:
    requests: list[bytes] = []
    async with answering(200, '{"namespace": "a", "key": "b", "count": 3}', requests) as port:
        operation = await invoke(port, Hit("a/b", by=3), UPGRADE)
    assert operation.outcome is Outcome.OK
    for name, value in UPGRADE.items():
        assert f"{name}: {value}\r\n".encode() in requests[0]


async def test_a_hit_that_nobody_takes_is_known_not_to_be_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert (await invoke(port, HIT)).outcome is Outcome.FAIL


async def test_a_missing_answer_is_unexpected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.client.ANSWERS_WITHIN", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        operation = await invoke(silent.getsockname()[1], HIT)
    assert operation.outcome is Outcome.INFO
    assert operation.unexpected

"""A client understands an answer, a missing answer, and a refused connection."""

import asyncio
import socket
from typing import Any

import pytest

from tests.faults.client import Client
from tests.faults.history import HOME, History, Hit, Operation, Outcome
from tests.faults.workload import UPGRADE
from tests.support.listening import listening

HIT = Hit("a/b")


async def invoke(port: int, hit: Hit = HIT, **more: Any) -> Operation:
    """Send a hit to a port."""
    client = Client("test", [port], History(), **more)
    try:
        await client.invoke((hit,))
    finally:
        client.close()
    return client.history.operations[0]


async def answered(
    status: int, body: str, hit: Hit = HIT, **more: Any
) -> tuple[Operation, list[bytes]]:
    """Send a hit that gets this answer, or a hang-up for status 0; return its head too."""
    requests = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write((head + body).encode() if status else b"")
        writer.close()

    async with listening(answer) as port:
        return await invoke(port, hit, **more), requests


@pytest.mark.parametrize(
    ("status", "body", "outcome", "unexpected"),
    [
        (200, '{"namespace": "a", "key": "b", "count": 7}', Outcome.OK, False),
        (503, '{"detail": "The database is away. The hit was not counted."}', Outcome.FAIL, False),
        (503, '{"detail": "The hit may have been counted."}', Outcome.INFO, False),
        (0, "", Outcome.INFO, False),
        # The app may not give these answers; they leave the hit unknown.
        (500, '{"detail": "Something went wrong here."}', Outcome.INFO, True),
        (503, '{"detail": "The database is away."}', Outcome.INFO, True),
        (503, "Service Unavailable", Outcome.INFO, True),
        (200, '{"namespace": "a", "key": "other", "count": 7}', Outcome.INFO, True),
        (200, "<h1>Counter: 7</h1>", Outcome.INFO, True),
    ],
)
async def test_an_answer_of_the_app_is_understood(
    status: int, body: str, outcome: Outcome, *, unexpected: bool
) -> None:
    operation, _ = await answered(status, body)
    assert (operation.outcome, bool(operation.unexpected)) == (outcome, unexpected)
    assert operation.counts == ((7,) if outcome is Outcome.OK else ())


async def test_the_number_on_the_page_is_read() -> None:
    operation, _ = await answered(200, "<h1>Counter: 12</h1>", Hit(HOME))
    assert (operation.outcome, operation.counts) == (Outcome.OK, (12,))


async def test_an_upgrade_is_offered_and_the_body_sent() -> None:
    body = '{"namespace": "a", "key": "b", "count": 3}'
    operation, (head,) = await answered(200, body, Hit("a/b", by=3), headers=UPGRADE)
    assert operation.outcome is Outcome.OK
    for name, value in {**UPGRADE, "Content-Length": "9"}.items():
        assert f"{name}: {value}\r\n".encode() in head


async def test_a_hit_that_nobody_takes_is_known_not_to_be_counted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert (await invoke(port)).outcome is Outcome.FAIL


async def test_a_missing_answer_is_unexpected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.client.ANSWERS_WITHIN", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        operation = await invoke(silent.getsockname()[1])
    assert (operation.outcome, bool(operation.unexpected)) == (Outcome.INFO, True)

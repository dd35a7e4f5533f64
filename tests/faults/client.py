"""A client of the app, which records the outcome of each request, answered or not.

It has its own HTTP code, to tell a connection that was refused from one that was lost.
"""

import asyncio
import json
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.faults.history import HOME, History, Hit, Operation, Outcome

CONNECTS_WITHIN, ANSWERS_WITHIN = 5.0, 25.0  # seconds; the app answers within 10
PAUSE = 0.05, 0.3  # after an operation that was not ok
REPEATED = 0.1  # the share of counted hits with a key that are sent once more


@dataclass
class Client:
    """Sends one operation at a time, each to any of the app's ports, and records all of them."""

    name: str
    ports: Sequence[int]
    history: History
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: int = 0  # that it has made
    connections: dict[int, tuple[StreamReader, StreamWriter]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = Random(self.name)  # noqa: S311 (no secret)

    async def perform(self, hits: tuple[Hit, ...]) -> None:
        """Send hits; with keys until they are counted, and now and then once more."""
        outcome = await self.invoke(hits)
        while hits[0].key and outcome is not Outcome.OK:
            outcome = await self.invoke(hits)
        if hits[0].key and self.chance.random() < REPEATED:
            await self.invoke(hits)

    async def invoke(self, hits: tuple[Hit, ...]) -> Outcome:
        """Send hits once, record how it ended, and pause if they were not counted."""
        clock = asyncio.get_running_loop().time
        invoked = clock()
        operation = (await self._complete(hits))._replace(invoked=invoked, completed=clock())
        self.history.record(operation)
        if operation.outcome is not Outcome.OK:
            await asyncio.sleep(self.chance.uniform(*PAUSE))
        return operation.outcome

    def new_key(self) -> str:
        """Return an idempotency key that no other hit has."""
        self.keys += 1
        return f"{self.name}.{self.keys}"

    def close(self) -> None:
        """End its connections."""
        for _, writer in self.connections.values():
            writer.transport.abort()

    async def _complete(self, hits: tuple[Hit, ...]) -> Operation:
        port = self.chance.choice(self.ports)
        try:
            reader, writer = await self._connect(port)
        except OSError:
            return Operation(hits, Outcome.FAIL)
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                writer.write(_request(hits, self.headers))
                answer = await _read(reader)
        except TimeoutError:
            unexpected = f"no answer within {ANSWERS_WITHIN:.0f} s"
            return Operation(hits, Outcome.INFO, unexpected=unexpected)
        except (OSError, EOFError, ValueError, LookupError):  # the connection is lost
            return Operation(hits, Outcome.INFO)
        else:
            self.connections[port] = reader, writer
            return _interpret(hits, *answer)
        finally:
            if port not in self.connections:  # an answer may still come, but not to the next
                writer.transport.abort()

    async def _connect(self, port: int) -> tuple[StreamReader, StreamWriter]:
        """Return the connection to a port, which lasts as long as all goes well, or a new one."""
        reader, writer = self.connections.pop(port, (None, None))
        if reader and writer and not (reader.at_eof() or writer.is_closing()):
            return reader, writer
        if writer:
            writer.transport.abort()
        async with asyncio.timeout(CONNECTS_WITHIN):
            return await asyncio.open_connection("127.0.0.1", port)


def _request(hits: tuple[Hit, ...], headers: Mapping[str, str]) -> bytes:
    (hit, *more), method = hits, "POST"
    content: dict[str, Any] = {}
    fields = {"Host": "127.0.0.1", "Accept": "application/json", **headers}
    if hit.counter == HOME:
        method, path = "GET", "/"
    elif more:
        path, content = "/api/v1/hits", {"hits": [_as_json(hit) for hit in hits]}
    else:
        path = f"/api/v1/counters/{hit.counter}/hits"
        content = {"by": hit.by} if hit.by > 1 else {}
        fields |= {"Idempotency-Key": hit.key} if hit.key else {}
    body = json.dumps(content) if content else ""
    fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
    return "\r\n".join([*lines, "", body]).encode()


def _as_json(hit: Hit) -> dict[str, Any]:
    namespace, _, key = hit.counter.partition("/")
    own = {"idempotency_key": hit.key} if hit.key else {}
    return {"namespace": namespace, "key": key, "by": hit.by, **own}


async def _read(reader: StreamReader) -> tuple[int, bytes]:
    """Return the status and the body of an answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    (length,) = re.findall(r"(?i)\r\ncontent-length: *(\d+)\r\n", head)
    return int(head.split()[1]), await reader.readexactly(int(length))


def _interpret(hits: tuple[Hit, ...], status: int, body: bytes) -> Operation:
    with suppress(ValueError, LookupError, TypeError):
        if status == 200:
            return Operation(hits, Outcome.OK, _counts(hits, body))
        detail = json.loads(body)["detail"] if status == 503 else ""
        if "may have been counted" in detail:
            return Operation(hits, Outcome.INFO)
        if "not counted" in detail:
            return Operation(hits, Outcome.FAIL)
    return Operation(hits, Outcome.INFO, unexpected=f"{status} {body[:200]!r}")


def _counts(hits: tuple[Hit, ...], body: bytes) -> tuple[int, ...]:
    """Return the count of each hit; raise an error if the answer is about other hits."""
    if hits[0].counter == HOME:
        (count,) = re.findall(rb"<h1>Counter: (\d+)</h1>", body)
        return (int(count),)
    counted = json.loads(body)
    counted = counted["hits"] if len(hits) > 1 else [counted]
    if [f"{c['namespace']}/{c['key']}" for c in counted] != [hit.counter for hit in hits]:
        raise ValueError
    return tuple(int(c["count"]) for c in counted)

"""A client of the app, which learns from each answer, and from each missing one, what it may."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from tests.faults.connection import Connection, LostError, NotSentError
from tests.faults.history import HOME, History, Hit, Operation, Outcome

ANSWERS_WITHIN = 25.0  # seconds; the app answers within 10
PAUSE = 0.05, 0.3  # after an operation that was not ok
REPEATED = 0.1  # of the hits with a key that are counted, sent once more
JSON = {"Accept": "application/json", "Content-Type": "application/json"}
Request = tuple[str, str, dict[str, str], bytes]  # method, path, headers, body


class Client:
    """Sends one operation at a time, each to any of the app's ports, and records all of them."""

    def __init__(
        self, name: str, ports: Sequence[int], history: History, headers: Mapping[str, str]
    ) -> None:
        self.name, self.chance = name, Random(name)  # noqa: S311 (no secret)
        self._connections = [Connection(port, {**JSON, **headers}) for port in ports]
        self._history, self._keys = history, 0

    async def perform(self, hits: tuple[Hit, ...]) -> None:
        """Send hits; with keys until they are counted, and now and then once more."""
        if not hits[0].key:
            await self.invoke(hits)
            return
        while (await self.invoke(hits)).outcome is not Outcome.OK:
            pass
        if self.chance.random() < REPEATED:
            await self.invoke(hits)

    async def invoke(self, hits: tuple[Hit, ...]) -> Operation:
        """Send hits once, record how it ended, and pause if they were not counted."""
        clock = asyncio.get_running_loop().time
        invoked = clock()
        operation = replace(await self._complete(hits), invoked=invoked, completed=clock())
        self._history.record(operation)
        if operation.outcome is not Outcome.OK:
            await asyncio.sleep(self.chance.uniform(*PAUSE))
        return operation

    def new_key(self) -> str:
        """Return an idempotency key that no other hit has."""
        self._keys += 1
        return f"{self.name}.{self._keys}"

    def close(self) -> None:
        """End its connections."""
        for connection in self._connections:
            connection.close()

    async def _complete(self, hits: tuple[Hit, ...]) -> Operation:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                connection = self.chance.choice(self._connections)
                status, body = await connection.request(*_request(hits))
        except NotSentError as error:
            return Operation(hits, Outcome.FAIL, detail=f"not sent: {error}")
        except LostError as error:
            return Operation(hits, Outcome.INFO, detail=f"connection lost: {error}")
        except TimeoutError:
            detail = f"no answer within {ANSWERS_WITHIN:.0f} s"
            return Operation(hits, Outcome.INFO, detail=detail, unexpected=True)
        return _interpret(hits, status, body)


def _request(hits: tuple[Hit, ...]) -> Request:
    if len(hits) > 1:
        return "POST", "/api/v1/hits", {}, _body(hits=[_as_json(hit) for hit in hits])
    (hit,) = hits
    if hit.counter == HOME:
        return "GET", "/", {}, b""
    headers = {"Idempotency-Key": hit.key} if hit.key else {}
    body = _body(by=hit.by) if hit.by > 1 else b""
    return "POST", f"/api/v1/counters/{hit.counter}/hits", headers, body


def _body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _as_json(hit: Hit) -> dict[str, Any]:
    namespace, _, key = hit.counter.partition("/")
    own = {"idempotency_key": hit.key} if hit.key else {}
    return {"namespace": namespace, "key": key, "by": hit.by, **own}


def _interpret(hits: tuple[Hit, ...], status: int, body: bytes) -> Operation:
    try:
        if status == 200:
            return Operation(hits, Outcome.OK, _counts(hits, body))
        detail = json.loads(body)["detail"] if status == 503 else ""
    except (ValueError, LookupError, TypeError):
        detail = ""
    if "may have been counted" in detail:
        return Operation(hits, Outcome.INFO, detail=detail)
    if "not counted" in detail:
        return Operation(hits, Outcome.FAIL, detail=detail)
    detail = f"{status} {body[:200]!r}"
    return Operation(hits, Outcome.INFO, detail=detail, unexpected=True)


def _counts(hits: tuple[Hit, ...], body: bytes) -> tuple[int, ...]:
    """Return the count of each hit; raise ValueError if the answer is about other hits."""
    if hits[0].counter == HOME:
        found = re.search(rb"<h1>Counter: (\d+)</h1>", body)
        if not found:
            raise ValueError
        return (int(found[1]),)
    counted = json.loads(body)
    counted = counted["hits"] if len(hits) > 1 else [counted]
    if [f"{c['namespace']}/{c['key']}" for c in counted] != [hit.counter for hit in hits]:
        raise ValueError
    return tuple(int(c["count"]) for c in counted)

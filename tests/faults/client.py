"""A client of the app, which learns from each answer, and from each missing one, what it may."""

import asyncio
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import httpx

from tests.faults.history import HOME, History, Hit, Operation, Outcome

CONNECTS_WITHIN = 5.0  # seconds
ANSWERS_WITHIN = 25.0  # the app answers within 10
PAUSE = 0.05, 0.3  # after an operation that was not ok
REPEATED = 0.1  # of the hits with a key that are counted, sent once more
JSON = {"Accept": "application/json", "Content-Type": "application/json"}
UNUSED_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # making one takes longer than a hit


class Client:
    """Sends one operation at a time, each to any of the app's ports, and records all of them."""

    def __init__(
        self, name: str, ports: Sequence[int], history: History, headers: Mapping[str, str]
    ) -> None:
        self.name, self.chance = name, Random(name)  # noqa: S311 (no secret)
        self._ports, self._history = ports, history
        self._keys = 0
        times = httpx.Timeout(None, connect=CONNECTS_WITHIN)
        self._http = httpx.AsyncClient(
            headers={**JSON, **headers}, timeout=times, trust_env=False, verify=UNUSED_TLS
        )

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

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def _complete(self, hits: tuple[Hit, ...]) -> Operation:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                response = await self._send(hits)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Operation(hits, Outcome.FAIL, detail=f"not connected: {error!r}")
        except httpx.TransportError as error:
            return Operation(hits, Outcome.INFO, detail=f"connection lost: {error!r}")
        except TimeoutError:
            detail = f"no answer within {ANSWERS_WITHIN:.0f} s"
            return Operation(hits, Outcome.INFO, detail=detail, unexpected=True)
        return interpret(response, hits)

    async def _send(self, hits: tuple[Hit, ...]) -> httpx.Response:
        base = f"http://127.0.0.1:{self.chance.choice(self._ports)}"
        first = hits[0]
        if first.counter == HOME:
            return await self._http.get(base)
        if len(hits) > 1:
            many = [_as_json(hit) for hit in hits]
            return await self._http.post(f"{base}/api/v1/hits", json={"hits": many})
        headers = {"Idempotency-Key": first.key} if first.key else {}
        url, body = f"{base}/api/v1/counters/{first.counter}/hits", {"by": first.by}
        return await self._http.post(url, headers=headers, json=body if first.by > 1 else None)


def interpret(response: httpx.Response, hits: tuple[Hit, ...]) -> Operation:
    """Return what an answer says of the hits."""
    try:
        if response.status_code == 200:
            return Operation(hits, Outcome.OK, _counts(response, hits))
        detail = response.json()["detail"] if response.status_code == 503 else ""
    except (ValueError, LookupError, TypeError):
        detail = ""
    if "may have been counted" in detail:
        return Operation(hits, Outcome.INFO, detail=detail)
    if "not counted" in detail:
        return Operation(hits, Outcome.FAIL, detail=detail)
    detail = f"{response.status_code} {response.content[:200]!r}"
    return Operation(hits, Outcome.INFO, detail=detail, unexpected=True)


def _as_json(hit: Hit) -> dict[str, Any]:
    namespace, _, key = hit.counter.partition("/")
    own = {"idempotency_key": hit.key} if hit.key else {}
    return {"namespace": namespace, "key": key, "by": hit.by, **own}


def _counts(response: httpx.Response, hits: tuple[Hit, ...]) -> tuple[int, ...]:
    """Return the count of each hit; raise ValueError if the answer is about other hits."""
    if hits[0].counter == HOME:
        found = re.search(r"<h1>Counter: (\d+)</h1>", response.text)
        if not found:
            raise ValueError
        return (int(found[1]),)
    counted = response.json()["hits"] if len(hits) > 1 else [response.json()]
    if [f"{c['namespace']}/{c['key']}" for c in counted] != [hit.counter for hit in hits]:
        raise ValueError
    return tuple(int(c["count"]) for c in counted)

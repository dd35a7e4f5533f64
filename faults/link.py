"""A client's connection to the app, which tells a request that was never sent from a lost one."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONNECTS_WITHIN = 5.0  # seconds


class NotSentError(Exception):
    """Nobody took the connection: no byte of the request has left."""


class LostError(Exception):
    """The request may have come in, and no answer came."""


@dataclass(frozen=True)
class Reply:
    """An answer of the app."""

    status: int
    headers: Mapping[str, str]  # their names in small letters
    body: bytes

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.body)


class Link:
    """One connection to 127.0.0.1:`port`, opened when it is needed and kept while it is good.

    `lines` are in the head of each request. The standard library's client would hide whether a
    request was sent.
    """

    def __init__(self, port: int, *lines: str) -> None:
        self._port, self._lines = port, lines
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, within: float
    ) -> Reply:
        """Send a request and return its answer.

        Raises NotSentError, LostError, and TimeoutError after `within` seconds.
        """
        reader, writer = await self._reach()
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
            *self._lines,
        ]
        try:
            async with asyncio.timeout(within):
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                return await _read(reader)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise
            raise LostError(repr(error)) from error

    def close(self) -> None:
        """End the connection; the next request opens another."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.close()
        if not self._streams:
            try:
                async with asyncio.timeout(CONNECTS_WITHIN):
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                raise NotSentError(repr(error)) from error
        return self._streams


async def _read(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers["content-length"]))
    return Reply(int(first.split()[1]), headers, body)

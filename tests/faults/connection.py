"""An HTTP connection that tells a request that was never sent from one that was lost."""

import asyncio
from collections.abc import Mapping

CONNECTS_WITHIN = 5.0  # seconds


class NotSentError(Exception):
    """Nobody took the connection: no byte of the request has left."""


class LostError(Exception):
    """The request may have arrived, and no answer came."""


class Connection:
    """A connection to 127.0.0.1:`port`, opened when it is needed and kept as long as it lasts.

    `headers` are sent with each request.
    """

    def __init__(self, port: int, headers: Mapping[str, str]) -> None:
        self._port, self._headers = port, headers
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """Send a request; return status and body. Raises NotSentError and LostError."""
        reader, writer = await self._open()
        fields = {"Host": "127.0.0.1", "Content-Length": len(body), **self._headers, **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {fields[name]}" for name in fields)]
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            return await _read(reader)
        except (OSError, EOFError, ValueError, LookupError) as error:
            self.close()
            raise LostError(repr(error)) from error
        except asyncio.CancelledError:
            self.close()  # the answer may still come, but not for the next request
            raise

    def close(self) -> None:
        """End the connection; the next request opens another."""
        if self._streams:
            self._streams[1].transport.abort()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams and (self._streams[0].at_eof() or self._streams[1].is_closing()):
            self.close()
        if not self._streams:
            try:
                async with asyncio.timeout(CONNECTS_WITHIN):
                    self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                raise NotSentError(repr(error)) from error
        return self._streams


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), await reader.readexactly(int(fields["content-length"]))

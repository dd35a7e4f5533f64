"""A way to a MySQL server that a test can cut at a packet of its choice."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

# Is given each packet's payload, and whether it goes to the server, before it is passed on;
# what it raises cuts the connection.
Watch = Callable[[bytes, bool], Awaitable[None]]


class CutError(Exception):
    """The connection is to be cut here, both ways."""


class Relay:
    """Passes connections at 127.0.0.1:`port` on to a server, packet by packet."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self.port = 0
        self.watch: Watch | None = None
        self._serving: set[asyncio.Task[None] | None] = set()
        self._near: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> dict[str, Any]:
        """The settings that lead here instead of to the server."""
        return {"DB_HOST": "127.0.0.1", "DB_PORT": self.port}

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Relay"]:
        """Listen while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            # All of it ends here: what is left would be found by another test, or by none.
            serving = [task for task in self._serving if task]
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    def reset(self) -> None:
        """Answer all connections with a reset, as a balancer does that has forgotten them."""
        for writer in self._near:
            now = struct.pack("ii", 1, 0)  # SO_LINGER: see socket(7)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
            writer.transport.abort()

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._serving.add(task)
        try:
            await self._join(near, back)
        finally:
            await _abort(back)
            self._serving.discard(task)

    async def _join(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            far, there = await asyncio.open_connection(*self._to)
        except OSError:  # the server is away, and so is this
            return
        self._near.add(back)
        ways = [
            asyncio.create_task(self._pass(near, there, to_server=True)),
            asyncio.create_task(self._pass(far, back, to_server=False)),
        ]
        try:
            await asyncio.gather(*ways)  # an end is passed on like a packet
        except (CutError, asyncio.CancelledError):
            pass  # here, or all at the end
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _abort(there)
            self._near.discard(back)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                # The length in three bytes, the least first, and a number: "MySQL Packets" in
                # the manual of its protocol.
                header = await reader.readexactly(4)
                packet = await reader.readexactly(int.from_bytes(header[:3], "little"))
                if self.watch:
                    await self.watch(packet, to_server)
                if writer.is_closing():
                    break  # nobody is left to read it
                writer.write(header + packet)
        with contextlib.suppress(OSError):
            writer.write_eof()  # the other way goes on


async def _abort(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()

"""A proxy in front of a MySQL server that can cut or hold a connection at any packet."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.support.listening import aborting, listening

# Awaited before a packet is passed on, with its payload and whether it goes to the server.
# If it raises CutError, the connection is cut.
Watch = Callable[[bytes, bool], Awaitable[None]]


class CutError(Exception):
    """Cut the connection here, in both directions."""


class Proxy:
    """Forwards connections at 127.0.0.1:`port` to a server, packet by packet."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self.port = 0
        self.watch: Watch | None = None
        self._clients: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> dict[str, Any]:
        """The app's settings for this proxy instead of the server, without TLS to read along."""
        return {"DB_HOST": "127.0.0.1", "DB_PORT": self.port, "DB_TLS": "off"}

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Proxy"]:
        """Listen while the block runs, and end every connection after it."""
        async with listening(self._serve) as self.port:
            yield self

    def reset(self) -> None:
        """Reset all connections, as a load balancer does that has forgotten them."""
        for writer in self._clients:
            at_once = struct.pack("ii", 1, 0)  # SO_LINGER: see socket(7)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._server)
            async with aborting(server_writer), asyncio.TaskGroup() as directions:
                directions.create_task(self._pass(reader, server_writer, to_server=True))
                directions.create_task(self._pass(server_reader, writer, to_server=False))
        except* (CutError, OSError):
            pass  # cut here, or the server is away
        finally:
            self._clients.discard(writer)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                # The length in three bytes, little-endian, and a sequence number: "MySQL Packets"
                # in the protocol's manual.
                header = await reader.readexactly(4)
                payload = await reader.readexactly(int.from_bytes(header[:3], "little"))
                if self.watch:
                    await self.watch(payload, to_server)
                if writer.is_closing():
                    break  # nobody is left to read it
                writer.write(header + payload)
        with suppress(OSError, RuntimeError):  # uvloop raises the latter where this is closed
            writer.write_eof()  # the other direction goes on

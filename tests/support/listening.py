"""A test's own server, made from a coroutine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Serve connections to a port of 127.0.0.1 until the block ends; yield the port.

    All connections end with the block: one that is left open would fail another test.
    """
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with aborting(writer):
            await serve(reader, writer)

    def forget(task: asyncio.Task[None]) -> None:
        if not task.cancelled():  # else it may have ended before it began
            del connections[task]

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(run(reader, writer))
        connections[task] = writer
        task.add_done_callback(forget)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        await asyncio.sleep(0)  # lets `accept` run for the newest connections
        left = dict(connections)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for writer in left.values():
            async with aborting(writer):
                pass


@asynccontextmanager
async def aborting(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Abort a connection at the end of the block."""
    try:
        yield
    finally:
        writer.transport.abort()
        with suppress(OSError):
            # Shielded: the future below is the connection's, and another may wait for it, too.
            await asyncio.shield(writer.wait_closed())

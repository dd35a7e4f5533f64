"""A server of a test's own, made of a coroutine."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Serve each connection to a port of 127.0.0.1, which is yielded, until the block ends.

    All connections end with it: one that is left is found by another test, which fails.
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
        await asyncio.sleep(0)  # who has just been accepted is handed over
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
            await writer.wait_closed()

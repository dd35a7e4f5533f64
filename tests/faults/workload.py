"""The workload: clients of every kind.

A counter belongs to one kind of client: either all of its hits have keys or none has. The counters
of a batch are hit only by such batches, once each, so that they stay equal. The checkers rely on
both.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.faults.client import Client
from tests.faults.environment import Environment
from tests.faults.history import HOME, Hit

COUNTERS = 3  # of a kind
NEW = 500  # hit together
ENDS_WITHIN = 60.0  # seconds, for hits that are retried until they are counted
# As Java's client sends it: it offers HTTP/2, and goes on without.
UPGRADE = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAMAAABkAAQAAP__",
}
KINDS = ("view", "plain", "keyed", "batch", "keyed batch")


def next_hits(kind: str, client: Client, space: str) -> tuple[Hit, ...]:
    """Return the hits of a client's next operation, on counters of the namespace `space`."""
    one, several = client.chance.randrange(COUNTERS), range(COUNTERS)
    match kind:
        case "view":
            return (Hit(HOME),)
        case "plain":
            return (Hit(f"{space}/plain.{one}"),)
        case "keyed":
            return (Hit(f"{space}/keyed.{one}", client.chance.randint(1, 3), client.new_key()),)
        case "batch":
            return tuple(Hit(f"{space}/batch.{n}") for n in several)
        case "keyed batch":
            return tuple(Hit(f"{space}/keyed.batch.{n}", key=client.new_key()) for n in several)
        case "new":  # new counters, which use up disk space
            unique = client.new_key()
            return tuple(Hit(f"{space}/{unique}.{n}") for n in range(NEW))
    raise LookupError(kind)


@asynccontextmanager
async def clients_at_work(
    env: Environment, number: int, seed: str, space: str, kinds: Sequence[str] = KINDS
) -> AsyncIterator[None]:
    """Run clients of all kinds until the block ends; every other set offers h2c.

    Only their counters may have the namespace `space`.
    """
    ending = asyncio.Event()

    async def work(index: int) -> None:
        headers = UPGRADE if index // len(kinds) % 2 else {}
        ports = [process.port for process in env.processes]
        client = Client(f"{space}.{seed}.{index}", ports, env.history, headers)
        try:
            while not ending.is_set():
                await client.perform(next_hits(kinds[index % len(kinds)], client, space))
        finally:
            client.close()

    tasks = [asyncio.create_task(work(index)) for index in range(number)]
    try:
        yield
        ending.set()
        await asyncio.wait(tasks, timeout=ENDS_WITHIN)  # a checker reports keys without an answer
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error

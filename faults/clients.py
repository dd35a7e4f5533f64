"""Clients of each kind at work, who keep every answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random

from faults.asking import HOME, send
from faults.ledger import Answer, Hit, Outcome, Request
from faults.link import Link
from faults.scene import Scene

COUNTERS = 3  # of a kind
NEW = 500  # that are hit together
PAUSE = 0.05, 0.3  # seconds, after an answer that is none
ENDS_WITHIN = 60.0  # seconds, for hits that are sent until they are answered
# As Java's client sends it, to which HTTP/2 is welcome; it goes on without.
UPGRADE = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"
AGAIN = 0.1  # of the hits with a key that were answered are sent once more


class Client:
    """One who sends a request at a time, each to any of the app's processes."""

    def __init__(self, name: str, scene: Scene, chance: Random, *lines: str) -> None:
        self.name, self.chance = name, chance
        self._links = [Link(worker.port, *lines) for worker in scene.workers]
        self._ledger = scene.ledger
        self._keys = 0

    async def once(self, hits: tuple[Hit, ...]) -> Answer:
        """Send hits, keep the answer, and pause where it is none."""
        clock = asyncio.get_running_loop().time
        sent = clock()
        answer = await send(self.chance.choice(self._links), hits)
        self._ledger.record(Request(hits, sent, clock(), answer))
        if answer.outcome is not Outcome.COUNTED:
            await asyncio.sleep(self.chance.uniform(*PAUSE))
        return answer

    async def until_answered(self, hits: tuple[Hit, ...]) -> None:
        """Send hits with keys again and again until they are counted, and now and then after."""
        while (await self.once(hits)).outcome is not Outcome.COUNTED:
            pass
        if self.chance.random() < AGAIN:
            await self.once(hits)

    def key(self) -> str:
        """Return a key that no other hit has."""
        self._keys += 1
        return f"{self.name}.{self._keys}"

    def close(self) -> None:
        """End its connections."""
        for link in self._links:
            link.close()


async def view(client: Client, _: str) -> None:
    """View the page."""
    await client.once((Hit(HOME),))


async def hit(client: Client, space: str) -> None:
    """Hit a counter, once."""
    await client.once((Hit(f"{space}/once.{client.chance.randrange(COUNTERS)}"),))


async def hit_surely(client: Client, space: str) -> None:
    """Hit a counter by an amount, with a key."""
    counter = f"{space}/surely.{client.chance.randrange(COUNTERS)}"
    await client.until_answered((Hit(counter, client.chance.randint(1, 3), client.key()),))


async def hit_together(client: Client, space: str) -> None:
    """Hit several counters with one request, once."""
    await client.once(tuple(map(Hit, together(space))))


async def hit_surely_together(client: Client, space: str) -> None:
    """Hit several others with one request, each with a key."""
    names = (f"{space}/surely.together.{number}" for number in range(COUNTERS))
    await client.until_answered(tuple(Hit(name, key=client.key()) for name in names))


async def hit_new(client: Client, space: str) -> None:
    """Hit many counters that no one has hit, which takes room on the disk."""
    key = client.key()
    await client.once(tuple(Hit(f"{space}/{key}.{number}") for number in range(NEW)))


def together(space: str) -> list[str]:
    """Return the counters that are hit together and without keys."""
    return [f"{space}/together.{number}" for number in range(COUNTERS)]


Work = Callable[[Client, str], Awaitable[None]]
KINDS: Sequence[Work] = [view, hit, hit_surely, hit_together, hit_surely_together]


@asynccontextmanager
async def at_work(
    scene: Scene, number: int, seed: str, space: str, kinds: Sequence[Work] = KINDS
) -> AsyncIterator[None]:
    """Let so many clients of all kinds work until the block ends; some offer an upgrade.

    Their counters have the namespace `space`, which nobody else's have.
    """
    ending = asyncio.Event()

    async def work(place: int) -> None:
        name = f"{space}.{seed}.{place}"
        offer = UPGRADE if place // len(kinds) % 2 else ()
        client = Client(name, scene, Random(name), *offer)  # noqa: S311 (no secret)
        try:
            while not ending.is_set():
                await kinds[place % len(kinds)](client, space)
        finally:
            client.close()

    tasks = [asyncio.create_task(work(place)) for place in range(number)]
    try:
        yield
        ending.set()
        async with asyncio.timeout(ENDS_WITHIN):
            await asyncio.gather(*tasks)
    except TimeoutError:
        pass  # a check shows the keys that had no answer
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""Faults of the network between the app and the server, made by the relays."""

import asyncio
from random import Random

from counter.testing import BATCH
from faults.scene import Scene, Worker
from throwaway_mysql.testing.relay import CutError, Watch

PACKETS = 12  # a batch and its answers are at most about so many
TRIGGERS_WITHIN = 5.0  # seconds
CUTS = 5, 15
LATE = 0.5, 4.0  # seconds; an attempt takes half of DB_TIMEOUT, 2 s
SLOW = 0.005, 0.05
SLOW_FOR = 2.0, 4.0
SILENT_FOR = (0.5, 2, 5, 12)


class AtPacket:
    """Waits for a batch, and then for the packet that follows it as number `place`, either way.

    It is 0 for the batch itself. Where the next batch comes first, its packet is taken.
    """

    def __init__(self, place: int) -> None:
        self._left, self._begun = place, False
        self.met = asyncio.Event()

    def takes(self, packet: bytes, *, to_server: bool) -> bool:
        """Tell whether this is the packet, once."""
        batch = to_server and BATCH in packet
        if self.met.is_set() or not (batch or self._begun):
            return False
        if self._left == 0 or (batch and self._begun):
            self.met.set()
        self._begun = True
        self._left -= 1
        return self.met.is_set()


async def connections_cut(scene: Scene, chance: Random) -> int:
    """Cut connections at packets of a batch or of its answers, one after the other."""
    cuts = 0
    for _ in range(chance.randint(*CUTS)):
        at = AtPacket(chance.randrange(PACKETS))
        cuts += await _watched(chance.choice(scene.workers), at, _cut(at))
    return cuts


async def packet_late(scene: Scene, chance: Random) -> int:
    """Hold a batch, or an answer to it, for longer than it is waited for; others pass."""
    at, seconds = AtPacket(chance.randrange(PACKETS)), chance.uniform(*LATE)

    async def hold(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        if at.takes(packet, to_server=to_server):
            await asyncio.sleep(seconds)

    late = await _watched(chance.choice(scene.workers), at, hold)
    await asyncio.sleep(seconds)
    return late


async def network_slow(scene: Scene, chance: Random) -> int:
    """Hold every packet of every process for a moment."""

    async def hold(_: bytes, __: bool) -> None:  # noqa: FBT001
        await asyncio.sleep(chance.uniform(*SLOW))

    _watch(scene.workers, hold)
    await asyncio.sleep(chance.uniform(*SLOW_FOR))
    _watch(scene.workers, None)
    return 1


async def network_silent(scene: Scene, chance: Random) -> int:
    """Let nothing pass for seconds, for one process or for all.

    In the end all comes through, as TCP sends it again, or the connections are cut.
    """
    over, cut = asyncio.Event(), chance.random() < 0.5

    async def hold(_: bytes, __: bool) -> None:  # noqa: FBT001
        await over.wait()
        if cut:
            raise CutError

    workers = chance.choice([scene.workers, [chance.choice(scene.workers)]])
    _watch(workers, hold)
    await asyncio.sleep(chance.choice(SILENT_FOR))
    _watch(workers, None)
    over.set()
    return 1


def _cut(at: AtPacket) -> Watch:
    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if at.takes(packet, to_server=to_server):
            raise CutError

    return watch


def _watch(workers: list[Worker], watch: Watch | None) -> None:
    for worker in workers:
        worker.relay.watch = watch


async def _watched(worker: Worker, at: AtPacket, watch: Watch) -> int:
    """Watch until the packet was met; return 1, or 0 where none came."""
    worker.relay.watch = watch
    try:
        async with asyncio.timeout(TRIGGERS_WITHIN):
            await at.met.wait()
    except TimeoutError:
        return 0
    finally:
        worker.relay.watch = None
    return 1

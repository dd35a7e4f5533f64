"""Faults of the disk that the server's data are on: it is full, it loses its power."""

import asyncio
import os
from random import Random
from signal import SIGKILL, SIGSTOP

from faults.clients import at_work, hit_new
from faults.disk import Disk
from faults.ledger import Outcome
from faults.scene import Scene

FULL_FOR = 1.0, 6.0  # seconds
FULL_WITHIN = 60.0
GROWERS = 2  # clients
REFUSALS = 3
OFF_FOR = (0, 0, 3)


async def disk_full(scene: Scene, chance: Random) -> int:
    """Fill the disk until hits fail, and for seconds. A server that ends by that starts again."""
    disk, space = _disk(scene), f"full-{chance.getrandbits(32)}"
    async with at_work(scene, GROWERS, "growing", space, [hit_new]):
        await asyncio.to_thread(disk.fill)
        try:
            await scene.ledger.more(REFUSALS, FULL_WITHIN, Outcome.REFUSED)
            await asyncio.sleep(chance.uniform(*FULL_FOR))
        finally:
            await asyncio.to_thread(disk.make_room)
    if not scene.server.runs:
        await asyncio.to_thread(scene.server.start)
    return 1


async def power_cut(scene: Scene, chance: Random) -> int:
    """Cut the disk's power under the running server, and start it on what had been flushed."""
    disk = _disk(scene)
    os.kill(scene.server.pid, SIGSTOP)  # no program outlives the power
    await asyncio.to_thread(disk.cut_power)
    await asyncio.to_thread(scene.server.stop, SIGKILL)
    await asyncio.to_thread(disk.restore_power)
    await asyncio.sleep(chance.choice(OFF_FOR))
    await asyncio.to_thread(scene.server.start)
    return 1


def _disk(scene: Scene) -> Disk:
    if not scene.disk:
        raise LookupError("the scene has no disk of its own")
    return scene.disk

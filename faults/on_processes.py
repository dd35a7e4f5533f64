"""Faults of the processes: the server and the app's are killed, the server is stopped."""

import asyncio
from random import Random
from signal import SIGKILL

from faults.scene import Scene

AWAY = (0, 0, 0, 1, 5, 12)  # seconds; a hit is given up after 10
STOPPED = (0.5, 2, 5, 12)


async def server_killed(scene: Scene, chance: Random) -> int:
    """Kill the server and start it again, at once or after a while."""
    await asyncio.to_thread(scene.server.stop, SIGKILL)
    await asyncio.sleep(chance.choice(AWAY))
    await asyncio.to_thread(scene.server.start)
    return 1


async def server_stopped(scene: Scene, chance: Random) -> int:
    """Stop the server as it is, and let it go on."""
    await asyncio.to_thread(scene.server.freeze)
    await asyncio.sleep(chance.choice(STOPPED))
    scene.server.thaw()
    return 1


async def worker_killed(scene: Scene, chance: Random) -> int:
    """Kill a process of the app and start it again."""
    worker = chance.choice(scene.workers)
    await worker.kill()
    await worker.start()
    return 1

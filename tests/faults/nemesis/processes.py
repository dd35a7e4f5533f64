"""Faults of whole processes and of the server's disk."""

import asyncio
import os
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP

from tests.faults.environment import Environment
from tests.faults.history import Outcome
from tests.faults.workload import clients_at_work


async def kill_server(env: Environment, chance: Random) -> int:
    """Kill the server and restart it, at once or after a while."""
    await asyncio.to_thread(env.server.stop, SIGKILL)
    await env.pause(chance, 0, 0, 0, 1, 5, 12)  # a hit is given up after 10
    await asyncio.to_thread(env.server.start)
    return 1


async def pause_server(env: Environment, chance: Random) -> int:
    """Suspend the server, and resume it."""
    os.kill(env.server.pid, SIGSTOP)
    await env.pause(chance, 0.5, 2, 5, 12)
    os.kill(env.server.pid, SIGCONT)
    return 1


async def kill_app(env: Environment, chance: Random) -> int:
    """Kill a process of the app and restart it."""
    process = chance.choice(env.processes)
    await process.kill()
    await process.start()
    return 1


async def fill_disk(env: Environment, chance: Random) -> int:
    """Fill the disk until hits fail, for seconds; restart the server if that ended it."""
    disk, space = env.disk, f"full-{chance.getrandbits(32)}"
    assert disk
    async with clients_at_work(env, 2, "growing", space, ["new"]):
        await asyncio.to_thread(disk.fill)
        try:
            await env.history.wait_for(3, 60, lambda o: o.outcome is Outcome.FAIL)
            await env.pause(chance, 1, 3, 6)
        finally:
            await asyncio.to_thread(disk.make_room)
    if not env.server.runs:
        await asyncio.to_thread(env.server.start)
    return 1


async def cut_power(env: Environment, chance: Random) -> int:
    """Cut the disk's power under the running server, and restart it on what was flushed."""
    disk, server = env.disk, env.server
    assert disk
    os.kill(server.pid, SIGSTOP)  # no program survives a power cut
    await asyncio.to_thread(disk.cut_power)
    await asyncio.to_thread(server.stop, SIGKILL)
    await asyncio.to_thread(disk.restore_power)
    await env.pause(chance, 0, 0, 3)
    await asyncio.to_thread(server.start)
    return 1

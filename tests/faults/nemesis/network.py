"""Faults of the network between the app and the server, made by the proxies."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

from counter.testing import BATCH
from tests.faults.environment import AppProcess, Environment
from tests.support.proxy import CutError, Watch

PACKETS = 12  # a batch and its answers are at most about this many
PACKET_WITHIN = 5.0  # seconds


async def cut_connections(env: Environment, chance: Random) -> int:
    """Cut connections, one after another, at packets of a batch or its answers."""

    async def cut() -> None:
        raise CutError

    return sum([await _at_packet(env, chance, cut) for _ in range(chance.randint(5, 15))])


async def delay_packet(env: Environment, chance: Random) -> int:
    """Hold a batch, or an answer to it, for longer than the app waits; pass all other packets."""
    # An attempt to count takes half of DB_TIMEOUT, 2 s.
    seconds, over = chance.uniform(0.5, 4), asyncio.Event()

    async def hold() -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            over.set()

    injuries = await _at_packet(env, chance, hold)
    if injuries:
        await over.wait()
    return injuries


async def slow_network(env: Environment, chance: Random) -> int:
    """Hold every packet of every process for a moment."""
    with _watched(env.processes, lambda *_: asyncio.sleep(chance.uniform(0.005, 0.05))):
        await env.pause(chance, 2, 3, 4)
    return 1


async def silence_network(env: Environment, chance: Random) -> int:
    """Pass nothing for seconds, for one process or for all.

    Then all packets arrive, as TCP resends them, or the connections are cut.
    """
    over, cut = asyncio.Event(), chance.random() < 0.5

    async def hold(*_: object) -> None:
        await over.wait()
        if cut:
            raise CutError

    one = [chance.choice(env.processes)]
    with _watched(chance.choice([env.processes, one]), hold):
        await env.pause(chance, 0.5, 2, 5, 12)
    over.set()
    return 1


async def _at_packet(env: Environment, chance: Random, act: Callable[[], Awaitable[None]]) -> int:
    """Act on the nth packet from a batch on, in either direction, or sooner on the next batch.

    Returns 1, or 0 if there was none.
    """
    number, passed, seen = chance.randrange(PACKETS), 0, asyncio.Event()

    async def watch(payload: bytes, to_server: bool) -> None:  # noqa: FBT001 (a Watch)
        nonlocal passed
        batch = to_server and BATCH in payload
        if seen.is_set() or not (batch or passed):
            return
        passed += 1
        if passed > number or (batch and passed > 1):
            seen.set()
            await act()

    with _watched([chance.choice(env.processes)], watch), suppress(TimeoutError):
        async with asyncio.timeout(PACKET_WITHIN):
            await seen.wait()
    return int(seen.is_set())


@contextmanager
def _watched(processes: list[AppProcess], watch: Watch) -> Iterator[None]:
    for process in processes:
        process.proxy.watch = watch
    try:
        yield
    finally:
        for process in processes:
            process.proxy.watch = None

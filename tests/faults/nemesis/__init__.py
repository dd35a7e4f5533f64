"""Nemeses, each a function `(env, chance) -> injuries`, and the schedule of their strikes."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, count
from math import inf
from random import Random

from tests.faults.environment import Environment
from tests.faults.history import Strike
from tests.faults.nemesis import database, network, processes

Nemesis = Callable[[Environment, Random], Awaitable[int]]  # how many injuries it was
RECOVERS_WITHIN = 120.0  # seconds; MySQL checks a full disk for free space once a minute
NEED_DISK = {processes.fill_disk, processes.cut_power}
WEIGHTS: dict[Nemesis, int] = {  # how often each strikes, relative to the others
    processes.kill_server: 20,
    processes.pause_server: 4,
    processes.kill_app: 6,
    database.kill_connections: 5,
    network.cut_connections: 8,
    network.delay_packet: 8,
    network.slow_network: 2,
    network.silence_network: 5,
    database.deadlock: 4,
    database.lock_counter: 4,
    database.set_clock_back: 4,
    processes.fill_disk: 2,
    processes.cut_power: 6,
}


def name_of(nemesis: Nemesis) -> str:
    """Return a nemesis's name, as in commands and reports."""
    return nemesis.__name__.replace("_", "-")


async def strike(env: Environment, nemesis: Nemesis, seed: str, recovered: int) -> Strike:
    """Strike, wait until `recovered` operations have been counted again, and record the strike.

    All random choices of a nemesis follow from `seed`.
    """
    injuries = await nemesis(env, Random(seed))  # noqa: S311 (no secret)
    start, recovery = time.monotonic(), inf
    with suppress(TimeoutError):  # a checker reports it
        await env.history.wait_for(recovered, RECOVERS_WITHIN)
        recovery = time.monotonic() - start
    env.history.strikes.append(Strike(name_of(nemesis), seed, injuries, recovery))
    return env.history.strikes[-1]


def schedule(seed: int, nemeses: Sequence[Nemesis]) -> Iterator[tuple[Nemesis, str]]:
    """Yield nemeses and seeds forever: each once, in random order, and then by weight."""
    chance = Random(seed)  # noqa: S311
    weights = [WEIGHTS[nemesis] for nemesis in nemeses]
    more = (chance.choices(nemeses, weights)[0] for _ in count())
    for number, nemesis in enumerate(chain(chance.sample(nemeses, len(nemeses)), more)):
        yield nemesis, f"{seed}.{number}"

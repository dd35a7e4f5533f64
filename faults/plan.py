"""The faults by name, and in which order they come."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from faults.on_database import clock_set_back, connections_killed, counter_locked, deadlocks
from faults.on_disk import disk_full, power_cut
from faults.on_network import connections_cut, network_silent, network_slow, packet_late
from faults.on_processes import server_killed, server_stopped, worker_killed
from faults.scene import Scene

Fault = Callable[[Scene, Random], Awaitable[int]]  # how many injuries it was


@dataclass(frozen=True)
class Turn:
    """A fault in the plan; all that it leaves to chance follows from `seed`."""

    fault: Fault
    seed: str

    @property
    def name(self) -> str:
        """Its name in commands and reports."""
        return name_of(self.fault)

    async def strike(self, scene: Scene) -> int:
        """Let it happen; return how many injuries it was."""
        return await self.fault(scene, Random(self.seed))  # noqa: S311 (no secret)


# How often each comes in a round.
ROUND: dict[Fault, int] = {
    server_killed: 20,
    server_stopped: 4,
    worker_killed: 6,
    connections_killed: 5,
    connections_cut: 8,
    packet_late: 8,
    network_slow: 2,
    network_silent: 5,
    deadlocks: 4,
    counter_locked: 4,
    clock_set_back: 4,
    disk_full: 2,
    power_cut: 6,
}
ON_OWN_DISK = {disk_full, power_cut}


def name_of(fault: Fault) -> str:
    """Return a fault's name in commands and reports."""
    return fault.__name__.replace("_", "-")


def rounds(seed: int, faults: Sequence[Fault]) -> Iterator[list[Turn]]:
    """Yield one round after the other, each in an order of its own."""
    chance = Random(seed)  # noqa: S311
    number = 0
    while True:
        order = [fault for fault in faults for _ in range(ROUND[fault])]
        chance.shuffle(order)
        yield [Turn(fault, f"{seed}.{number}.{place}") for place, fault in enumerate(order)]
        number += 1

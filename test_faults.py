"""Each hit is counted once, whatever is damaged: the short form of `benchmarks.faults`."""

from collections.abc import AsyncIterator, Iterator

import pytest

from faults.clients import at_work
from faults.disk import Disk, DiskError
from faults.on_database import clock_set_back, connections_killed, counter_locked, deadlocks
from faults.on_disk import power_cut
from faults.on_network import connections_cut, network_silent
from faults.on_processes import server_killed, server_stopped, worker_killed
from faults.plan import Fault, Turn, name_of
from faults.scene import Scene, scene
from throwaway_mysql.servers.run import RunServer

FLUSHING = ["--innodb-flush-log-at-trx-commit=1", "--innodb-flush-method=O_DIRECT"]
CLIENTS = 10
TIMES: dict[Fault, int] = {
    server_killed: 3,
    server_stopped: 1,
    power_cut: 1,
    worker_killed: 1,
    connections_killed: 1,
    connections_cut: 2,
    network_silent: 1,
    deadlocks: 1,
    counter_locked: 1,
    clock_set_back: 1,
}
SHORT = {
    "on_processes.AWAY": (0,),
    "on_processes.STOPPED": (0.5,),
    "on_disk.OFF_FOR": (0,),
    "on_network.SILENT_FOR": (0.5,),
    "on_database.SET_BACK_FOR": 1,
    "on_database.LOCKED_FOR": 2,
}
WELL, WELL_WITHIN = 30, 30.0  # requests that are counted after a fault, seconds


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk | None]:
    """Make a disk for the server alone, where this machine lets us mount one."""
    try:
        disk = Disk(tmp_path_factory.mktemp("disk"))
    except DiskError:
        yield None
    else:
        yield disk
        disk.close()


@pytest.fixture(scope="module")
def server(mysql_program: str, disk: Disk | None) -> Iterator[RunServer]:
    """Start a server of the module's own, which flushes each commit to that disk."""
    server = RunServer(mysql_program, inside=disk.place if disk else None, flags=FLUSHING)
    yield server
    server.close()


@pytest.fixture(scope="module")
async def stage(
    server: RunServer, disk: Disk | None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """Serve the app there by two processes."""
    async with scene(server, tmp_path_factory.mktemp("app"), 2, disk) as stage:
        yield stage


@pytest.mark.parametrize("fault", TIMES, ids=name_of)
async def test_each_hit_counts_once_with(
    stage: Scene, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    if fault is power_cut and not stage.disk:
        pytest.skip("this machine lets us mount no disk")
    for name, value in SHORT.items():
        monkeypatch.setattr(f"faults.{name}", value)
    async with at_work(stage, CLIENTS, "short", name_of(fault)):
        for turn in range(TIMES[fault]):
            await stage.ledger.more(WELL, WELL_WITHIN)
            assert await Turn(fault, str(turn)).strike(stage) > 0
        await stage.ledger.more(WELL, WELL_WITHIN)
    assert [str(verdict) for verdict in stage.verdicts() if verdict.offences] == []

"""Each hit counts once, whatever a nemesis does: the short form of `python -m tests.faults`."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.faults.checkers import offences
from tests.faults.environment import Environment, set_up
from tests.faults.nemesis import Nemesis, database, name_of, network, processes, strike
from tests.faults.workload import clients_at_work

CLIENTS = 10
RECOVERED = 30  # operations counted before and after a strike
LONGEST = 0.5  # seconds that a nemesis waits
STRIKES: dict[Nemesis, int] = {
    processes.kill_server: 3,
    processes.pause_server: 1,
    processes.cut_power: 1,
    processes.kill_app: 1,
    database.kill_connections: 1,
    network.cut_connections: 2,
    network.silence_network: 1,
    database.deadlock: 1,
    database.lock_counter: 1,
    database.set_clock_back: 1,
}


@pytest.fixture(scope="module")
async def env(
    mysql_program: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Environment]:
    """Serve the app on the module's own server."""
    folder = tmp_path_factory.mktemp("faults")
    async with set_up(mysql_program, folder, longest=LONGEST) as env:
        yield env


@pytest.mark.timeout(600)
@pytest.mark.parametrize("nemesis", STRIKES, ids=name_of)
async def test_each_hit_counts_once_with(env: Environment, nemesis: Nemesis) -> None:
    if nemesis is processes.cut_power and not env.disk:
        pytest.skip("this machine lets us mount no disk")
    async with clients_at_work(env, CLIENTS, "short", name_of(nemesis)):
        await env.history.wait_for(RECOVERED, 60)
        for number in range(STRIKES[nemesis]):
            assert (await strike(env, nemesis, str(number), RECOVERED)).injuries > 0
    found = offences(replace(env.evidence(), leeway=60))  # does not test the machine's speed
    assert {name: offence for name, offence in found.items() if offence} == {}

"""The benchmark of the service, for the frame."""

import argparse
import resource
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

import settings
from benchmarks import machine
from benchmarks.frame import Benchmark, Sample, Table, read_ratios, run_rounds
from benchmarks.service import lone, plot
from benchmarks.service.contestants import CLIENTS, CONTESTANTS, GROWING, GROWTH
from benchmarks.service.environment import environment
from benchmarks.service.load import Load

PACKAGES = "quart uvicorn uvloop httptools sqlalchemy aiomysql pymysql redis granian"
OPEN_FILES = 65_536  # more than enough for 1,024 clients, where the machine allows it
LONE_REQUESTS = 300  # in each round
LOADED = {"rate": "requests a second", "p50": "p50, ms", "p99": "p99, ms"}
TOGETHER = {f"{name}@{CLIENTS}": contestant.title for name, contestant in CONTESTANTS.items()}
BY_CLIENTS = {
    f"{name}@{clients}": f"{title}, {clients:,}"
    for (name, title), clients in product(GROWING.items(), GROWTH)
}
LONE = {"lone hit": "Hit", "lone page": "The page `/`", "lone bare": "PyMySQL's `UPDATE; COMMIT`"}


def benchmark(options: argparse.Namespace) -> Benchmark:
    """Return what `options` ask for."""
    return Benchmark(
        name="benchmarks",
        title="Benchmarks",
        ratios=read_ratios(Path(__file__).with_name("ratios.csv")),
        tables=[
            Table(f"{CLIENTS} clients", TOGETHER, LOADED),
            Table("From 1 to 1,024 clients", BY_CLIENTS, LOADED),
            Table("One client", LONE, {"p50": "p50, ms", "p99": "p99, ms"}),
        ],
        measure=partial(measure, quick=options.quick),
        facts=facts,
        plot=plot.draw,
    )


def measure(program: str, rounds: int, *, quick: bool) -> Iterator[Sample]:
    """Yield all samples beside one database server."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    with environment(program or settings.MYSQLD) as servers:
        yield from run_rounds(
            servers.engine, {"lone": partial(lone.measure, servers, LONE_REQUESTS)}, rounds
        )
        load = Load(servers)
        warm_up = 0 if quick else 1
        together = {
            f"{name}@{CLIENTS}": partial(load.run, name, CLIENTS, warm_up) for name in CONTESTANTS
        }
        yield from run_rounds(servers.engine, together, rounds)
        growing = {
            f"{name}@{clients}": partial(load.run, name, clients, 0)
            for name, clients in product(GROWING, GROWTH)
            if clients != CLIENTS
        }
        yield from run_rounds(servers.engine, growing, (rounds + 3) // 4)


def facts() -> dict[str, str]:
    """Return the versions that matter."""
    programs = machine.programs("wrk -v", "redis-server --version")
    return {"Packages": machine.packages(PACKAGES), "Programs": programs}

"""The benchmark of the service, for the frame."""

import argparse
import resource
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path

import settings
from benchmarks import machine
from benchmarks.frame import Benchmark, Sample, read_ratios, run_rounds
from benchmarks.service import load, lone, plot
from benchmarks.service.contestants import CLIENTS, CONTESTANTS, GROWING, GROWTH
from benchmarks.service.environment import environment

PACKAGES = "quart uvicorn uvloop httptools sqlalchemy aiomysql pymysql redis granian"
OPEN_FILES = 65_536  # more than enough for 1,024 clients, if the machine allows it
LONE = {"lone hit": "Hit", "lone page": "The page `/`", "lone bare": "PyMySQL's `UPDATE; COMMIT`"}


def measure(program: str, options: argparse.Namespace) -> Iterator[Sample]:
    """Yield all samples with one database server."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, OPEN_FILES), hard))
    with environment(program or settings.MYSQLD) as servers:
        turn = partial(load.run, servers)
        together = {
            f"{name}@{CLIENTS}": partial(turn, name, CLIENTS, warm_up=not options.quick)
            for name in CONTESTANTS
        }
        growing = {
            f"{name}@{clients}": partial(turn, name, clients)
            for name, clients in product(GROWING, GROWTH)
            if clients != CLIENTS
        }
        alone = {"lone": partial(lone.measure, servers)}
        for turns, rounds in (
            (alone, options.rounds),
            (together, options.rounds),
            (growing, (options.rounds + 3) // 4),
        ):
            yield from run_rounds(servers.engine, turns, rounds)


def facts(_options: argparse.Namespace) -> dict[str, str]:
    """Return the versions that matter."""
    programs = machine.output("wrk", "-v"), machine.output("redis-server", "--version")
    return {"Packages": machine.packages(PACKAGES), "Programs": "; ".join(programs)}


BENCHMARK = Benchmark(
    name="benchmarks",
    title="Benchmarks",
    ratios=read_ratios(Path(__file__).parent),
    tables={
        f"{CLIENTS} clients": {f"{name}@{CLIENTS}": it.title for name, it in CONTESTANTS.items()},
        "One client": LONE,
    },
    measure=measure,
    facts=facts,
    plot=plot.draw,
)

"""The benchmark of the harness, for the frame."""

from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import machine
from benchmarks.frame import Benchmark, Sample, read_ratios, run_rounds
from benchmarks.harness.contestants import COSTS, MANY_MODULES, RUNS
from benchmarks.harness.runs import OWN, install, runs

PACKAGES = "pytest pytest-mysql pytest-xdist django sqlalchemy sqlalchemy-utils alembic pymysql"
TABLES = {
    "A whole run with one database test": RUNS,
    "A run of many test modules, each with a database of its own": MANY_MODULES,
    "A further database, made, ready and dropped; and rows put back": COSTS,
}


def measure(program: str, options: Namespace) -> Iterator[Sample]:
    """Yield all samples for a server program."""
    install(machine.PROJECT, "now")
    if options.before:
        install(options.before, "before")
    with runs(program) as environment:
        for group in TABLES.values():
            chosen = {name: it for name, it in group.items() if environment.can(it)}
            if options.before:
                chosen |= {
                    f"before {name}": it.before() for name, it in group.items() if it.is_ours
                }
            for contestant in chosen.values():  # creates templates and compiled files
                environment.run(contestant.less or contestant)
            turns = {name: partial(environment.measure, it) for name, it in chosen.items()}
            rounds = options.rounds if group is RUNS else (options.rounds + 1) // 2
            yield from run_rounds(str(environment.server.program), turns, rounds)


def facts(options: Namespace) -> dict[str, str]:
    """Return the versions that matter."""
    (site,) = OWN.glob("venv/lib/python*/site-packages")
    versions = {"Packages": machine.packages(PACKAGES, site)}
    if before := options.before:
        versions["Before"] = machine.commit(before) if before.is_dir() else before.name
    return versions


BENCHMARK = Benchmark(
    name="harness-benchmarks",
    title="Benchmarks of the test harness",
    ratios=read_ratios(Path(__file__).parent),
    tables={
        heading: {name: it.title for name, it in group.items()} for heading, group in TABLES.items()
    },
    measure=measure,
    facts=facts,
)

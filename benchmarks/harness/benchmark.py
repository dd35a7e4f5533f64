"""The benchmark of the harness, for the frame."""

import argparse
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks import machine
from benchmarks.frame import Benchmark, Sample, Table, read_ratios, run_rounds
from benchmarks.harness import pytest_mysql
from benchmarks.harness.contestants import COSTS, MANY_MODULES, RUNS, Contestant, ratios_before
from benchmarks.harness.runs import OWN, Runs, install, runs

PACKAGES = "pytest pytest-mysql pytest-xdist django sqlalchemy sqlalchemy-utils alembic pymysql"


def benchmark(options: argparse.Namespace) -> Benchmark:
    """Return what `options` ask for."""
    ratios = read_ratios(Path(__file__).with_name("ratios.csv"))
    return Benchmark(
        name="harness-benchmarks",
        title="Benchmarks of the test harness",
        ratios=ratios + (ratios_before() if options.before else []),
        tables=[
            _table("A whole run with one database test", RUNS),
            _table("A run of many test modules, each with a database of its own", MANY_MODULES),
            _table("A further database, made, ready and dropped; and rows put back", COSTS),
        ],
        measure=partial(measure, other=options.before),
        facts=partial(facts, options.before),
    )


def measure(program: str, rounds: int, *, other: Path | None) -> Iterator[Sample]:
    """Yield all samples of a server program; `other` is another version of the harness."""
    install(machine.PROJECT, "now")
    if other:
        install(other, "before")
    with runs(program) as environment:
        some = (rounds + 1) // 2
        for group, turns in (RUNS, rounds), (MANY_MODULES, some), (COSTS, some):
            chosen = _chosen(group, environment, beside=bool(other))
            first = {it.makes: it.less or it for it in chosen.values()}
            for contestant in first.values():
                environment.run(contestant)
            each = {name: partial(environment.measure, it) for name, it in chosen.items()}
            yield from run_rounds(environment.database.engine, each, turns)


def facts(other: Path | None) -> dict[str, str]:
    """Return the versions that matter."""
    (site,) = OWN.glob("venv/lib/python*/site-packages")
    versions = {"Packages": machine.packages(PACKAGES, str(site))}
    if other:
        versions["Before"] = machine.commit(other) if other.is_dir() else other.name
    return versions


def _chosen(
    group: Mapping[str, Contestant], environment: Runs, *, beside: bool
) -> dict[str, Contestant]:
    """Return what can be measured here; `beside`: with the other version of the harness, too."""
    possible = pytest_mysql.is_possible(environment.database)
    chosen = {name: it for name, it in group.items() if possible or "mysql" not in it.project}
    ours = {f"before {name}": run.before() for name, run in chosen.items() if run.is_ours}
    return {**chosen, **(ours if beside else {})}


def _table(heading: str, group: Mapping[str, Contestant]) -> Table:
    rows = {name: contestant.title for name, contestant in group.items()}
    rows |= {f"before {name}": f"{title}, before" for name, title in rows.items()}
    return Table(heading, rows, {"ms": "ms"})

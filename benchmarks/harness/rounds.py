"""The runs: in each round every contestant once, in an order that is drawn anew."""

import json
import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import VoidError
from benchmarks.harness.contestants import MODULES, RUNS, Contestant
from benchmarks.harness.databases import NAMES
from benchmarks.harness.samples import Sample
from benchmarks.harness.stage import PROJECT, PYTHON, Stage, has_docker

MEMORY = {"rss": "Rss", "anonymous": "Anonymous", "pss": "Pss", "data": "Data"}


@dataclass(frozen=True)
class Plan:
    """How often."""

    runs: int
    modules: int
    databases: int

    @property
    def total(self) -> int:
        """How many samples there will be, but for memory and what needs Docker."""
        runs = sum(not run.docker for run in RUNS.values())
        return self.runs * runs + self.modules * len(MODULES) + self.databases * len(NAMES)


FULL = Plan(runs=11, modules=5, databases=21)
QUICK = Plan(runs=2, modules=1, databases=3)


def measure(stage: Stage, plan: Plan) -> Iterator[Sample]:
    """Yield all samples of an engine."""
    yield from _databases(stage, plan.databases)
    docker = has_docker()
    runs = {name: run for name, run in RUNS.items() if docker or not run.docker}
    for name in runs:
        stage.run(runs[name])  # makes templates, copies and compiled files
    yield from _rounds(stage, "run", runs, plan.runs)
    yield from _rounds(stage, "modules", MODULES, plan.modules)


def _rounds(
    stage: Stage, kind: str, contestants: Mapping[str, Contestant], rounds: int
) -> Iterator[Sample]:
    """Yield the times of each round, how busy the machine was, and the server's memory if told."""
    told = stage.folder / "memory.json"
    draw = random.Random(rounds)  # noqa: S311 (the order is the same in each measurement)
    for number in range(1, rounds + 1):
        for name in draw.sample(list(contestants), len(contestants)):
            told.unlink(missing_ok=True)
            before = _cores()
            took = stage.run(contestants[name], MEMORY=str(told))
            used, passed = (after - then for after, then in zip(_cores(), before, strict=True))
            yield Sample(stage.engine, f"{kind} {name}", number, took)
            yield Sample(stage.engine, f"cores {kind} {name}", number, 100 * used / passed)
            if name == "alone":
                came_to = json.loads(told.read_text())
                for what, key in MEMORY.items():
                    yield Sample(stage.engine, f"memory {what}", number, came_to[key] / 1024)


def _cores() -> tuple[int, int]:
    """Return for how long cores have been busy, and all of their time: proc_stat(5)."""
    user, nice, system, idle, wait, *more = map(int, Path("/proc/stat").read_text().split()[1:9])
    busy = user + nice + system + sum(more)
    return busy, busy + idle + wait


def _databases(stage: Stage, rounds: int) -> Iterator[Sample]:
    argv = [str(PYTHON), "-m", "benchmarks.harness.databases", stage.program, str(rounds)]
    with subprocess.Popen(
        argv, cwd=PROJECT, env=stage.environ, stdout=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout or ():
            name, number, took = json.loads(line)
            yield Sample(stage.engine, f"database {name}", number, took)
    if process.returncode:
        raise VoidError(f"one database after the other: status {process.returncode}")

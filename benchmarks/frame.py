"""The frame of a benchmark: rounds of contestants, samples, ratios and their aims."""

import csv
import random
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

Measures = Mapping[str, float]  # the results of one turn of a contestant


class InvalidError(RuntimeError):
    """The whole measurement is invalid; the message is one line that says why."""


class Sample(NamedTuple):
    """A value in one round; its series names a contestant and a measure: `hits@64 rate`."""

    engine: str
    series: str
    round: int
    value: float


@dataclass(frozen=True)
class Ratio:
    """The series `over` divided by `under`; minus `under` if there is a unit; or `over` alone.

    Its aims, if it has any, are texts such as `≤ 2`.
    """

    title: str
    over: str
    under: str = ""
    unit: str = ""
    mariadb: str = ""
    mysql: str = ""

    def rounds(self, samples: Sequence[Sample], engine: str) -> list[float]:
        """Return each round's own ratio, which cancels what slows the whole round."""
        over, under = (by_round(samples, engine, name) for name in (self.over, self.under))
        if not self.under:
            return list(over.values())
        both = sorted(over.keys() & under.keys())
        return [over[n] - under[n] if self.unit else over[n] / under[n] for n in both]

    def aim(self, engine: str) -> str:
        """Return the aim for an engine, or nothing."""
        return self.mariadb if engine.startswith("MariaDB") else self.mysql

    def is_missed(self, samples: Sequence[Sample], engine: str) -> bool:
        """Tell whether the median misses an aim, or was not measured."""
        sign, _, limit = self.aim(engine).partition(" ")
        rounds = self.rounds(samples, engine)
        if not limit or not rounds:
            return bool(limit)
        return median(rounds) < float(limit) if sign == "≥" else median(rounds) > float(limit)


@dataclass(frozen=True)
class Benchmark:
    """What is measured and reported; `name` names the files.

    `tables` show medians: by heading, the titles of the rows by contestant. `measure` yields the
    samples for a server program (empty: the first found). `plot` draws an SVG.
    """

    name: str
    title: str
    ratios: Sequence[Ratio]
    tables: Mapping[str, Mapping[str, str]]
    measure: Callable[[str, Namespace], Iterator[Sample]]
    facts: Callable[[Namespace], dict[str, str]]
    plot: Callable[[Sequence[Sample], Path], None] | None = None


def read_ratios(folder: Path) -> list[Ratio]:
    """Return the ratios in a benchmark's ratios.csv, whose columns are the attributes."""
    with (folder / "ratios.csv").open() as lines:
        return [Ratio(**row) for row in csv.DictReader(lines)]


def run_rounds(
    engine: str, contestants: Mapping[str, Callable[[], Measures]], rounds: int
) -> Iterator[Sample]:
    """Give each contestant a turn in each round, in a new random order.

    They take turns because a machine's speed changes: so it is the same for all.
    """
    draw = random.Random(rounds)  # noqa: S311 (the same order in each measurement)
    for number in range(1, rounds + 1):
        for name in draw.sample(list(contestants), len(contestants)):
            for measure, value in contestants[name]().items():
                yield Sample(engine, f"{name} {measure}", number, value)


def engines(samples: Sequence[Sample]) -> list[str]:
    """Return the engines, in the order measured."""
    return list(dict.fromkeys(sample.engine for sample in samples))


def by_round(samples: Sequence[Sample], engine: str, series: str) -> dict[int, float]:
    """Return a series' values by round."""
    return {s.round: s.value for s in samples if (s.engine, s.series) == (engine, series)}

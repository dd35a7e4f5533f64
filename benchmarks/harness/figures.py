"""What is compared with what, and what each figure should come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from statistics import median

from benchmarks.harness.samples import Sample, by_round, engines

MARIADB, MYSQL = "MariaDB", "MySQL"


class How(Enum):
    """How two samples of a round become one number, and how that is written."""

    VALUE = "{:,.0f} {}"
    MORE = "{:+,.0f} {}"  # than the other
    RATIO = "{:.2f}"  # of the other


@dataclass(frozen=True)
class Figure:
    """What `name` comes to, alone or against `other`; its aim by the engine's family."""

    title: str
    name: str
    other: str = ""
    how: How = How.VALUE
    most: Mapping[str, float] = field(default_factory=dict)
    unit: str = "ms"

    def rounds(self, samples: Sequence[Sample], engine: str) -> list[float]:
        """Return the number of each round: what slows all of a round is not seen in a ratio."""
        here = by_round(samples, engine, self.name)
        there = by_round(samples, engine, self.other) if self.other else {}
        if self.how is How.RATIO:
            return [value / there[number] for number, value in here.items() if number in there]
        if self.how is How.MORE:
            return [value - there[number] for number, value in here.items() if number in there]
        return list(here.values())

    def aim(self, engine: str) -> float | None:
        """Return the most that it may come to on an engine, if there is an aim."""
        return self.most.get(engine.split()[0])

    def is_met(self, samples: Sequence[Sample], engine: str) -> bool:
        """Tell whether it is what it should be, or need not be anything."""
        aim, rounds = self.aim(engine), self.rounds(samples, engine)
        return aim is None or (bool(rounds) and median(rounds) <= aim)

    def written(self, value: float) -> str:
        """Return a number as the page has it."""
        return self.how.value.format(value, self.unit)


def both(most: float) -> dict[str, float]:
    """Return an aim for every engine."""
    return {MARIADB: most, MYSQL: most}


ONE = "a whole run with one database test"
FIGURES = [
    Figure(f"{ONE} / pytest-mysql's", "run harness", "run pytest-mysql", How.RATIO, both(0.35)),
    Figure(
        f"{ONE} / pytest-mysql's with this server's flags, in memory",
        "run harness",
        "run pytest-mysql tuned",
        How.RATIO,
    ),
    Figure(
        f"{ONE}, over the same run without any database",
        "run harness",
        "run none",
        How.MORE,
        {MARIADB: 400, MYSQL: 1200},
    ),
    Figure(
        "a run without any database, with the plugin installed, over one without it",
        "run unused",
        "run none",
        How.MORE,
    ),
    Figure(
        "a further module's database, migrated, ready, and dropped",
        "database harness 1",
        most={MARIADB: 15},
    ),
    Figure("with 50 revisions that make 5 tables", "database harness 5"),
    Figure("with 50 revisions that make 20 tables", "database harness 20", most={MARIADB: 40}),
    Figure("with 50 revisions that make 50 tables", "database harness 50"),
    Figure(
        "200 test modules, `-n 2` / one worker (`-n 1`)",
        "modules two",
        "modules one",
        How.RATIO,
        both(0.6),
    ),
    Figure("the same / without pytest-xdist", "modules two", "modules alone", How.RATIO),
    Figure("how busy the machine's cores are with `-n 1`", "cores modules one", unit="%"),
    Figure("with `-n 2`", "cores modules two", unit="%"),
    Figure(
        "memory of the private server after 200 modules, resident",
        "memory rss",
        most=both(100),
        unit="MB",
    ),
    Figure("the same, anonymous (without the program's own file)", "memory anonymous", unit="MB"),
    Figure("the same, proportional (PSS)", "memory pss", unit="MB"),
    Figure("its data folder, in memory where there is room", "memory data", unit="MB"),
]


def short_of(samples: Sequence[Sample]) -> list[str]:
    """Return a line for each figure that is not what it should be."""
    return [
        f"{figure.title}: {_came_to(figure, samples, engine)} on {engine}, "
        f"at most {figure.written(figure.aim(engine) or 0)}"
        for engine in engines(samples)
        for figure in FIGURES
        if not figure.is_met(samples, engine)
    ]


def _came_to(figure: Figure, samples: Sequence[Sample], engine: str) -> str:
    rounds = figure.rounds(samples, engine)
    return figure.written(median(rounds)) if rounds else "not measured"

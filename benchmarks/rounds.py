"""The runs: in each round every contestant once, in an order that is drawn anew."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks import VoidError, lone, wrk
from benchmarks.contestants import CLIENTS, CONTESTANTS, GROWING, GROWTH, Contestant
from benchmarks.samples import Sample
from benchmarks.stage import Stage

Run = tuple[str, int]  # a contestant's name and how many clients it gets
TOGETHER: list[Run] = [(name, CLIENTS) for name in CONTESTANTS]
ALONE_TO_MANY: list[Run] = [
    (name, clients) for name in GROWING for clients in GROWTH if clients != CLIENTS
]


@dataclass(frozen=True)
class Plan:
    """How often and how long; times in seconds."""

    rounds: int
    growth: int  # rounds of other numbers of clients
    lone: int  # rounds of a lone client
    each: int  # of its requests
    seconds: int  # a run
    warm_up: int  # before it

    @property
    def total(self) -> int:
        """How many samples there will be."""
        together = self.rounds * len(TOGETHER) + self.growth * len(ALONE_TO_MANY)
        return together + self.lone * len(lone.TURNS)


FULL = Plan(rounds=11, growth=3, lone=7, each=300, seconds=2, warm_up=1)
QUICK = Plan(rounds=1, growth=1, lone=1, each=100, seconds=1, warm_up=0)


def measure(stage: Stage, plan: Plan) -> Iterator[Sample]:
    """Yield all samples of an engine."""
    yield from lone.measure(stage, plan.lone, plan.each)
    load = Load(stage, plan.seconds)
    yield from load.rounds(TOGETHER, plan.rounds, plan.warm_up)
    yield from load.rounds(ALONE_TO_MANY, plan.growth, warm_up=0)


@dataclass(frozen=True)
class Load:
    """Runs the load on a stage, so many seconds each time."""

    stage: Stage
    seconds: int
    seeds: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def rounds(self, runs: Sequence[Run], rounds: int, warm_up: int) -> Iterator[Sample]:
        """Yield a sample of each run of each round.

        Contestants take turns, so that a machine whose speed changes is as fast for all.
        """
        draw = random.Random(rounds)  # noqa: S311 (the order is the same in each measurement)
        for number in range(1, rounds + 1):
            for name, clients in draw.sample(runs, len(runs)):
                yield self.run(name, clients, number, warm_up)

    def run(self, name: str, clients: int, number: int, warm_up: int) -> Sample:
        """Load one contestant; raises VoidError where its counts are not what was answered."""
        contestant, stage = CONTESTANTS[name], self.stage
        url = stage.url(contestant)
        if warm_up:
            wrk.run(contestant, url, clients, warm_up, next(self.seeds))
        counted, asked = -stage.settled(contestant), -stage.statements()
        report = wrk.run(contestant, url, clients, self.seconds, next(self.seeds))
        asked += stage.statements()
        counted += stage.settled(contestant)
        check(contestant, clients, report.requests, counted)
        return Sample(
            engine=stage.engine,
            contestant=name,
            clients=clients,
            round=number,
            requests=report.requests,
            seconds=report.seconds,
            p50=report.p50,
            p99=report.p99,
            statements=asked / report.requests,
        )


def check(contestant: Contestant, clients: int, answered: int, counted: int) -> None:
    """Raise VoidError unless every hit that was answered was counted, and once."""
    least = answered if contestant.counts else 0
    # As many requests as there are clients are still under way when wrk ends.
    most = least + clients if contestant.counts else 0
    if not least <= counted <= most:
        raise VoidError(f"{contestant.title}: {answered} were answered and {counted} counted")

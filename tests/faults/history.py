"""The history: every operation of the clients and every strike of a nemesis."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from math import inf
from typing import NamedTuple

HOME = "default/home"  # the counter of the page
LOCK_FOUND_WITHIN = 1.5  # seconds: the first batch waits until the server's lock wait times out


class Outcome(Enum):
    """What a client knows about its operation once it is complete, most certain first."""

    OK = "acknowledged (ok)"
    INFO = "unknown (info)"  # the app said that it cannot tell, or no answer came
    FAIL = "refused (fail)"  # not counted: the app said so, or nothing was sent


class Hit(NamedTuple):
    """A hit on a counter. With an idempotency key, it is the same hit however often it is sent."""

    counter: str  # namespace/key
    by: int = 1
    key: str = ""


class Operation(NamedTuple):
    """Hits sent as one request, its outcome, and the times of its invocation and completion."""

    hits: tuple[Hit, ...]
    outcome: Outcome
    counts: tuple[int, ...] = ()  # of each hit, if OK
    unexpected: str = ""  # an answer that the app may not give
    invoked: float = 0
    completed: float = 0

    @property
    def is_view(self) -> bool:
        """Whether this is a view of the page that was counted."""
        return self.outcome is Outcome.OK and self.hits[0].counter == HOME


class Strike(NamedTuple):
    """One strike of a nemesis."""

    nemesis: str
    seed: str
    injuries: int
    recovery: float  # seconds until hits were counted again; infinite if they were not


class Lock(NamedTuple):
    """The time in which a nemesis had a counter locked, other than the page's."""

    counter: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A counter in the database at the end; `hours` is the sum of its hours."""

    count: int = 0
    start: int = 0
    hours: int = 0


@dataclass(slots=True)
class HitResult:
    """What is known about one hit, from all operations that sent it."""

    hit: Hit
    invoked: float = inf
    completed: float = inf  # when its count was first known
    counts: set[int] = field(default_factory=set)  # at most one, if all is well
    outcome: Outcome = Outcome.FAIL  # the most certain of its operations

    def add(self, operation: Operation, position: int) -> None:
        """Add an operation that has the hit at this position."""
        self.invoked = min(self.invoked, operation.invoked)
        if operation.outcome is Outcome.OK:
            self.counts.add(operation.counts[position])
            self.completed = min(self.completed, operation.completed)
        self.outcome = min(self.outcome, operation.outcome, key=list(Outcome).index)


@dataclass
class History:
    """What happened, with operations in order of completion."""

    operations: list[Operation] = field(default_factory=list)
    strikes: list[Strike] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def record(self, operation: Operation) -> None:
        """Add an operation."""
        self.operations.append(operation)
        self.grown.set()

    async def wait_for(
        self,
        number: int,
        within: float,
        wanted: Callable[[Operation], bool] = lambda operation: operation.outcome is Outcome.OK,
    ) -> None:
        """Return after `number` more operations that match; raise TimeoutError if too late."""
        index = len(self.operations)
        async with asyncio.timeout(within):
            while number > 0:
                if index == len(self.operations):
                    self.grown.clear()
                    await self.grown.wait()
                number -= wanted(self.operations[index])
                index += 1

    def results(self) -> list[HitResult]:
        """Return what is known about each hit."""
        results: dict[object, HitResult] = {}
        for number, operation in enumerate(self.operations):
            for position, hit in enumerate(operation.hits):
                identity = hit.key or (number, position)
                results.setdefault(identity, HitResult(hit)).add(operation, position)
        return list(results.values())


@dataclass(frozen=True)
class Evidence:
    """All that the checkers look at."""

    history: History
    stored: Mapping[str, Stored] = field(default_factory=dict)
    errors_logged: Sequence[str] = ()
    leeway: float = 3.0  # seconds that a busy machine may add to a hit's wait

    @cached_property
    def counters(self) -> list[tuple[str, Stored, list[HitResult]]]:
        """The counters that were hit, each with its stored counts and all of its hits."""
        hits = defaultdict(list)
        for result in self.history.results():
            hits[result.hit.counter].append(result)
        return [(name, self.stored.get(name, Stored()), hits[name]) for name in hits]

"""Each checker sees what it is for, and none objects where all is well."""

from dataclasses import dataclass, field
from math import inf

import pytest

import settings
from tests.faults.checkers import CHECKERS, describe, offences
from tests.faults.history import (
    HOME,
    Evidence,
    History,
    Hit,
    Lock,
    Operation,
    Outcome,
    Stored,
    Strike,
)

ONE = Hit("a/one")
KEYED = Hit("a/keyed", by=3, key="k")
BATCH = (Hit("a/left"), Hit("a/right"))


def ok(*counts: int, of: tuple[Hit, ...] = (ONE,), at: float = 0) -> Operation:
    """Return an operation that took a second and was counted."""
    return Operation(of, Outcome.OK, counts, invoked=at, completed=at + 1)


def fail(*hits: Hit, at: float = 0, seconds: float = 1) -> Operation:
    """Return an operation that was refused."""
    return Operation(hits, Outcome.FAIL, invoked=at, completed=at + seconds)


def info(*hits: Hit, at: float = 0, unexpected: bool = False) -> Operation:
    """Return an operation that nothing is known of."""
    return Operation(hits, Outcome.INFO, unexpected=unexpected, invoked=at, completed=at + 1)


def holds(count: int) -> Stored:
    """Return a counter as it should be stored."""
    return Stored(count, 0, count)


@dataclass
class Case:
    """What happened, and what is left of it."""

    operations: list[Operation] = field(default_factory=list)
    stored: dict[str, Stored] = field(default_factory=dict)
    strikes: list[Strike] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def offended(self) -> list[str]:
        """Return the names of the checkers that object."""
        history = History()
        history.strikes, history.locks = self.strikes, self.locks
        for operation in self.operations:
            history.record(operation)
        found = offences(Evidence(history, self.stored, self.logged))
        return [name for name in found if found[name]]


WELL = Case(
    [
        ok(1),
        ok(3, at=2),
        info(ONE),
        info(ONE),
        fail(ONE),
        fail(KEYED),
        info(KEYED, at=2),
        ok(3, of=(KEYED,), at=4),
        ok(3, of=(KEYED,), at=9),
        ok(1, 1, of=BATCH),
        info(*BATCH),
        ok(1, of=(Hit(HOME),), at=3),
    ],
    {name: holds(n) for name, n in {"a/one": 3, "a/keyed": 3, "a/left": 2, "a/right": 2}.items()}
    | {HOME: holds(1)},
    [Strike("kill-server", "1.0", 1, 0.5)],
    [Lock("a/one", 1, 5)],
)
BROKEN = {
    "No number was given twice": Case(
        [ok(2), ok(3, of=(Hit("a/one", by=2),))], {"a/one": holds(3)}
    ),
    "Every acknowledged hit is in the count": Case([ok(1), ok(2)], {"a/one": holds(1)}),
    "The count has nothing but acknowledged hits and some of the unknown": Case(
        [ok(1), info(ONE), fail(ONE)], {"a/one": holds(3)}
    ),
    "Hours add up to the count": Case([ok(1)], {"a/one": Stored(1, 0, 2)}),
    "With keys and retries, the count is the number of keys": Case(
        [info(KEYED)], {"a/keyed": holds(3)}
    ),
    "A batch is in as a whole or not at all": Case([info(*BATCH)], {"a/left": holds(1)}),
    "A hit that was sent later has the larger number": Case(
        [ok(2), ok(1, at=2)], {"a/one": holds(2)}
    ),
    "Every answer was 200, or 503 and said what became of the hits": Case(
        [info(ONE, unexpected=True)]
    ),
    "Every answer came within its time": Case(
        [fail(Hit(HOME), seconds=settings.DB_TIMEOUT + Evidence.leeway + 0.1)]
    ),
    "While one counter was locked, another was counted": Case(
        [ok(1, of=(Hit(HOME),), at=1)], {HOME: holds(1)}, locks=[Lock("a/one", 1, 5)]
    ),
    "Hits are counted again within two minutes after each strike": Case(
        strikes=[Strike("kill-server", "1.0", 1, inf)]
    ),
    "The app's log tells of no fault of its own": Case(logged=["Traceback"]),
}


def test_no_checker_objects_to_what_may_be() -> None:
    assert WELL.offended() == []


@pytest.mark.parametrize("name", CHECKERS)
def test_a_checker_sees_what_it_is_for_and_nothing_else(name: str) -> None:
    assert BROKEN[name].offended() == [name]


@pytest.mark.parametrize("counts", [(3, 6), (6, 3)])
def test_a_key_that_got_two_numbers_is_seen(counts: tuple[int, int]) -> None:
    operations = [ok(count, of=(KEYED,), at=at) for at, count in enumerate(counts)]
    case = Case(operations, {"a/keyed": holds(6)})
    assert "With keys and retries, the count is the number of keys" in case.offended()


def test_offences_are_counted_and_some_are_shown() -> None:
    assert describe("All is well", []) == "holds: All is well"
    line = describe("All is well", list("abcdefg"))
    assert line == "VIOLATED: All is well: a; b; c; d; e; and 2 more"

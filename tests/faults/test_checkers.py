"""Each checker finds its violation, and none objects to a good history."""

from collections.abc import Sequence
from math import inf

import pytest

import settings
from tests.faults.checkers import CHECKERS, offences, verdicts
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

ONE, VIEW = Hit("a/one"), Hit(HOME)
KEYED = Hit("a/keyed", by=3, key="k")
BATCH = (Hit("a/left"), Hit("a/right"))
LOCK = Lock("a/one", 1, 5)


def ok(*counts: int, of: tuple[Hit, ...] = (ONE,), at: float = 0) -> Operation:
    """Return an operation that took a second and was counted."""
    return Operation(of, Outcome.OK, counts, invoked=at, completed=at + 1)


def fail(*hits: Hit, at: float = 0, seconds: float = 1) -> Operation:
    """Return an operation that was refused."""
    return Operation(hits, Outcome.FAIL, invoked=at, completed=at + seconds)


def info(*hits: Hit, at: float = 0, unexpected: str = "") -> Operation:
    """Return an operation whose outcome is unknown."""
    return Operation(hits, Outcome.INFO, unexpected=unexpected, invoked=at, completed=at + 1)


def left(*operations: Operation, locks: Sequence[Lock] = (), **counts: int) -> Evidence:
    """Return the evidence: the operations, and the counts at the end, by the counters' keys."""
    stored = {f"a/{key}" if key != "home" else HOME: Stored(n, 0, n) for key, n in counts.items()}
    return Evidence(History([*operations], locks=[*locks]), stored)


def struck(recovery: float) -> History:
    """Return a history with a strike."""
    return History(strikes=[Strike("kill-server", "1.0", 1, recovery)])


def offended(evidence: Evidence) -> list[str]:
    """Return the names of the checkers that object."""
    return [name for name, found in offences(evidence).items() if found]


WELL = left(
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
    ok(1, of=(VIEW,), at=3),
    locks=[LOCK],
    one=3,
    keyed=3,
    left=2,
    right=2,
    home=1,
)
BROKEN = {
    "No number was given twice": left(ok(2), ok(3, of=(Hit("a/one", by=2),)), one=3),
    "Every acknowledged hit is in the count": left(ok(1), ok(2), one=1),
    "The count has nothing but acknowledged hits and some of the unknown": left(
        ok(1), info(ONE), fail(ONE), one=3
    ),
    "Hours add up to the count": Evidence(History([ok(1)]), {"a/one": Stored(1, 0, 2)}),
    "With keys and retries, the count is the number of keys": left(info(KEYED), keyed=3),
    "A batch is counted as a whole or not at all": left(info(*BATCH), left=1),
    "A hit that was sent later has the larger number": left(ok(2), ok(1, at=2), one=2),
    "Every answer was 200, or 503 and said what became of the hits": left(
        info(ONE, unexpected="500")
    ),
    "Every answer came within its time": left(
        fail(VIEW, seconds=settings.DB_TIMEOUT + Evidence.leeway + 0.1)
    ),
    "While one counter was locked, another was counted": left(
        ok(1, of=(VIEW,), at=1), locks=[LOCK], home=1
    ),
    "Hits are counted again within two minutes after each strike": Evidence(struck(inf)),
    "The app logged no errors of its own": Evidence(History(), errors_logged=["Traceback"]),
}


@pytest.mark.parametrize("evidence", [WELL, Evidence(struck(0.5))], ids=["hits", "strike"])
def test_no_checker_objects_to_what_may_be(evidence: Evidence) -> None:
    assert offended(evidence) == []


@pytest.mark.parametrize("name", CHECKERS)
def test_a_checker_sees_what_it_is_for_and_nothing_else(name: str) -> None:
    assert offended(BROKEN[name]) == [name]


@pytest.mark.parametrize("counts", [(3, 6), (6, 3)])
def test_a_key_that_got_two_numbers_is_seen(counts: tuple[int, int]) -> None:
    operations = [ok(count, of=(KEYED,), at=at) for at, count in enumerate(counts)]
    name = "With keys and retries, the count is the number of keys"
    assert name in offended(left(*operations, keyed=6))


def test_offences_are_counted_and_some_are_shown() -> None:
    lines = list(verdicts({"All is well": list("abcdefg"), "So is this": []}))
    assert lines == ["VIOLATED: All is well: a; b; c; d; e; and 2 more", "1 of 2 checks hold"]

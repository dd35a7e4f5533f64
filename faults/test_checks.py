"""Each check sees what it is for, and nothing else is amiss where all is well."""

import pytest

import settings
from faults.asking import HOME
from faults.checks import CHECKS, LEEWAY, Stored, examine
from faults.ledger import Answer, Hit, Ledger, Outcome, Request

ONE = Hit("a/one")
SURE = Hit("a/surely", by=3, key="k")
BOTH = (Hit("a/left"), Hit("a/right"))

Case = tuple[list[Request], dict[str, Stored]]


def asked(*hits: Hit, at: float = 0, until: float | None = None, answer: Answer) -> Request:
    """Return a request that was sent at a moment, and answered a second later."""
    return Request(hits, at, at + 1 if until is None else until, answer)


def told(*counts: int) -> Answer:
    """Return an answer with counts."""
    return Answer(Outcome.COUNTED, counts)


def holds(count: int) -> Stored:
    """Return a counter as it should be stored."""
    return Stored(count, 0, count)


REFUSED, UNKNOWN = Answer(Outcome.REFUSED), Answer(Outcome.UNKNOWN)
WELL: Case = (
    [
        asked(ONE, answer=told(1)),
        asked(ONE, at=2, answer=told(3)),
        asked(ONE, answer=UNKNOWN),
        asked(ONE, answer=UNKNOWN),
        asked(ONE, answer=REFUSED),
        asked(SURE, answer=REFUSED),
        asked(SURE, at=2, answer=UNKNOWN),
        asked(SURE, at=4, answer=told(3)),
        asked(SURE, at=9, answer=told(3)),
        asked(*BOTH, answer=told(1, 1)),
        asked(*BOTH, answer=UNKNOWN),
    ],
    {"a/one": holds(3), "a/surely": holds(3), "a/left": holds(2), "a/right": holds(2)},
)
DAMAGED: dict[str, Case] = {
    "no number was given twice": (
        [asked(ONE, answer=told(2)), asked(Hit("a/one", by=2), answer=told(3))],
        {"a/one": holds(3)},
    ),
    "every acknowledged hit is in the count": (
        [asked(ONE, answer=told(1)), asked(ONE, answer=told(2))],
        {"a/one": holds(1)},
    ),
    "the count has nothing but acknowledged hits and some of the unknown": (
        [asked(ONE, answer=told(1)), asked(ONE, answer=UNKNOWN), asked(ONE, answer=REFUSED)],
        {"a/one": holds(3)},
    ),
    "hours add up to the count": ([asked(ONE, answer=told(1))], {"a/one": Stored(1, 0, 2)}),
    "with keys and retries, the count is the number of keys": (
        [asked(SURE, answer=UNKNOWN)],
        {"a/surely": holds(3)},
    ),
    "a batch is in as a whole or not at all": (
        [asked(*BOTH, answer=UNKNOWN)],
        {"a/left": holds(1)},
    ),
    "a hit that was sent later has the larger number": (
        [asked(ONE, answer=told(2)), asked(ONE, at=2, answer=told(1))],
        {"a/one": holds(2)},
    ),
    "every answer was 200, or 503 and said what became of the hits": (
        [asked(ONE, answer=Answer(Outcome.UNKNOWN, said="500", wrong=True))],
        {},
    ),
    "every answer came within its time": (
        [asked(Hit(HOME), until=settings.DB_TIMEOUT + LEEWAY + 0.1, answer=REFUSED)],
        {},
    ),
}


def offended(case: Case) -> list[str]:
    """Return the names of the checks that do not hold."""
    ledger = Ledger()
    for request in case[0]:
        ledger.record(request)
    return [verdict.check for verdict in examine(ledger, case[1]) if verdict.offences]


def test_no_check_is_offended_by_what_may_be() -> None:
    assert offended(WELL) == []


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_sees_what_it_is_for(check: str) -> None:
    assert offended(DAMAGED[check]) == [check]


@pytest.mark.parametrize("counts", [(3, 6), (6, 3)])
def test_a_key_that_was_told_two_numbers_is_seen(counts: tuple[int, int]) -> None:
    requests = [asked(SURE, at=place, answer=told(count)) for place, count in enumerate(counts)]
    assert "with keys and retries, the count is the number of keys" in offended(
        (requests, {"a/surely": holds(6)})
    )

"""What must hold for a history and for the tables at its end; each checker yields violations.

They rely on how the workload assigns counters: see workload.py.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf

import settings
from tests.faults.history import HOME, LOCK_FOUND_WITHIN, Evidence, HitResult, Outcome, Stored

SHOWN = 5  # violations per checker
Checker = Callable[[Evidence], Iterable[str]]
CHECKERS: dict[str, Checker] = {}  # by the first line of their docstrings


def checker(function: Checker) -> Checker:
    """Add a checker."""
    CHECKERS[str(function.__doc__).partition("\n")[0].rstrip(".")] = function
    return function


def offences(evidence: Evidence) -> dict[str, list[str]]:
    """Return the violations that each checker found."""
    return {name: list(check(evidence)) for name, check in CHECKERS.items()}


def verdicts(offences: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a line for each checker that found violations, and how many found none."""
    violated = {name: found for name, found in offences.items() if found}
    for name, found in violated.items():
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        yield f"VIOLATED: {name}: {'; '.join(found[:SHOWN])}{more}"
    yield f"{len(offences) - len(violated)} of {len(offences)} checks hold"


@checker
def numbers_are_unique(evidence: Evidence) -> Iterator[str]:
    """No number was given twice.

    A hit of 3 that is answered 10 got the numbers 8 to 10.
    """
    for name, _, hits in evidence.counters:
        ranges = sorted((count - h.hit.by + 1, count) for h in hits for count in h.counts)
        for before, after in pairwise(ranges):
            if after[0] <= before[1]:
                yield f"{name}: {before} and {after}"


@checker
def nothing_is_lost(evidence: Evidence) -> Iterator[str]:
    """Every acknowledged hit is in the count."""
    for name, stored, hits in evidence.counters:
        ok = stored.start + _sum(hits, Outcome.OK)
        largest = max((count for h in hits for count in h.counts), default=0)
        if stored.count < max(ok, largest):
            yield f"{name}: {stored.count}, but {ok} acknowledged, up to the number {largest}"


@checker
def nothing_is_added(evidence: Evidence) -> Iterator[str]:
    """The count has nothing but acknowledged hits and some of the unknown."""
    for name, stored, hits in evidence.counters:
        ok, unknown = stored.start + _sum(hits, Outcome.OK), _sum(hits, Outcome.INFO)
        if stored.count > ok + unknown:
            yield f"{name}: {stored.count}, but {ok} acknowledged and {unknown} unknown"


@checker
def hours_add_up(evidence: Evidence) -> Iterator[str]:
    """Hours add up to the count."""
    for name, stored in evidence.stored.items():
        if stored.count != stored.start + stored.hours:
            yield f"{name}: {stored.count}, but {stored.start} and {stored.hours} in hours"


@checker
def keys_count_once(evidence: Evidence) -> Iterator[str]:
    """With keys and retries, the count is the number of keys."""
    for name, stored, hits in evidence.counters:
        if not hits[0].hit.key:
            continue
        yield from (f"{name}: {h.hit.key} got {h.counts}" for h in hits if len(h.counts) > 1)
        unanswered = [h.hit.key for h in hits if not h.counts]
        if unanswered:
            yield f"{name}: {len(unanswered)} keys had no answer: {unanswered[:SHOWN]}"
        elif stored.count != (keys := sum(h.hit.by for h in hits)):
            yield f"{name}: {stored.count}, but keys for {keys}"


@checker
def batches_are_whole(evidence: Evidence) -> Iterator[str]:
    """A batch is counted as a whole or not at all."""
    for names in {tuple(hit.counter for hit in o.hits) for o in evidence.history.operations}:
        counts = {name: evidence.stored.get(name, Stored()).count for name in names}
        if len(set(counts.values())) > 1:
            yield f"{counts}"


@checker
def numbers_go_up(evidence: Evidence) -> Iterator[str]:
    """A hit that was sent later has the larger number."""
    for name, _, hits in evidence.counters:
        counted = [h for h in hits if h.counts]
        known = sorted((h.completed, min(h.counts)) for h in counted)
        largest = index = 0
        for h in sorted(counted, key=lambda h: h.invoked):
            while index < len(known) and known[index][0] < h.invoked:
                largest = max(largest, known[index][1])
                index += 1
            if min(h.counts) - h.hit.by < largest:
                yield f"{name}: {min(h.counts)}, sent after the answer {largest}"


@checker
def answers_tell(evidence: Evidence) -> Iterator[str]:
    """Every answer was 200, or 503 and said what became of the hits."""
    return (o.unexpected for o in evidence.history.operations if o.unexpected)


@checker
def answers_are_in_time(evidence: Evidence) -> Iterator[str]:
    """Every answer came within its time."""
    for o in evidence.history.operations:
        limit = settings.DB_TIMEOUT if o.hits[0].counter == HOME else settings.HIT_TIMEOUT
        if o.completed - o.invoked > limit + evidence.leeway:
            yield f"{o.hits[0].counter}: {o.completed - o.invoked:.1f} s"


@checker
def locks_hold_up_no_others(evidence: Evidence) -> Iterator[str]:
    """While one counter was locked, another was counted."""
    views = [o.completed for o in evidence.history.operations if o.is_view]
    for lock in evidence.history.locks:
        if not any(lock.start + LOCK_FOUND_WITHIN <= view < lock.end for view in views):
            yield f"no view of the page while {lock.counter} was locked"


@checker
def strikes_are_survived(evidence: Evidence) -> Iterator[str]:
    """Hits are counted again within two minutes after each strike."""
    return (f"{s.nemesis} ({s.seed})" for s in evidence.history.strikes if s.recovery == inf)


@checker
def no_errors_are_logged(evidence: Evidence) -> Iterable[str]:
    """The app logged no errors of its own."""
    return evidence.errors_logged


def _sum(hits: Iterable[HitResult], outcome: Outcome) -> int:
    return sum(h.hit.by for h in hits if h.outcome is outcome)

"""What must hold after the faults, each a check that shows what offends it.

The clients keep to this: a counter belongs to one kind of client, so that all of its hits have
keys or none has, and those of a batch are hit by that batch's client only, once each.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import settings
from faults.asking import HOME
from faults.ledger import Known, Ledger, Outcome

SHOWN = 5  # offences of a check
LEEWAY = 3.0  # seconds that a busy machine may add to what the app waits for the database


@dataclass(frozen=True)
class Stored:
    """What the database says of a counter, `hours` being the sum over its hours."""

    count: int = 0
    start: int = 0
    hours: int = 0


@dataclass(frozen=True)
class Evidence:
    """All that the checks look at."""

    ledger: Ledger
    stored: Mapping[str, Stored]
    hits: Mapping[str, list[Known]]  # by counter

    @classmethod
    def of(cls, ledger: Ledger, stored: Mapping[str, Stored]) -> "Evidence":
        """Sort what is known by counter."""
        hits = defaultdict(list)
        for known in ledger.hits():
            hits[known.hit.counter].append(known)
        return cls(ledger, stored, hits)

    def counters(self) -> Iterator[tuple[str, Stored, list[Known]]]:
        """Go through the counters that were hit."""
        for name, hits in self.hits.items():
            yield name, self.stored.get(name, Stored()), hits


@dataclass(frozen=True)
class Verdict:
    """A check's name and all that offends it: it holds where nothing does."""

    check: str
    offences: list[str]

    def __str__(self) -> str:
        if not self.offences:
            return f"holds: {self.check}"
        left = len(self.offences) - SHOWN
        shown = "; ".join(self.offences[:SHOWN]) + (f"; and {left} more" if left > 0 else "")
        return f"VIOLATED: {self.check}: {shown}"


def examine(ledger: Ledger, stored: Mapping[str, Stored]) -> list[Verdict]:
    """Return the verdict of every check."""
    evidence = Evidence.of(ledger, stored)
    return [Verdict(name, list(check(evidence))) for name, check in CHECKS.items()]


def numbers_are_distinct(evidence: Evidence) -> Iterator[str]:
    """Look for numbers that two hits were given; a hit of 3 that is told 10 was given 8 to 10."""
    for name, _, hits in evidence.counters():
        given = sorted((count - h.hit.by + 1, count) for h in hits for count in h.counts)
        for before, after in pairwise(given):
            if after[0] <= before[1]:
                yield f"{name}: {before} and {after}"


def acknowledged_are_in(evidence: Evidence) -> Iterator[str]:
    """Look for counts below what was acknowledged, or below a number that was given."""
    for name, stored, hits in evidence.counters():
        told = _sum(hits, Outcome.COUNTED) + stored.start
        largest = max((count for h in hits for count in h.counts), default=0)
        if stored.count < max(told, largest):
            yield f"{name}: {stored.count}, but {told} acknowledged, up to the number {largest}"


def nothing_else_is_in(evidence: Evidence) -> Iterator[str]:
    """Look for counts above what was acknowledged and what is unknown: refused hits, or twice."""
    for name, stored, hits in evidence.counters():
        told = _sum(hits, Outcome.COUNTED) + stored.start
        unknown = _sum(hits, Outcome.UNKNOWN)
        if stored.count > told + unknown:
            yield f"{name}: {stored.count}, but {told} acknowledged and {unknown} unknown"


def hours_add_up(evidence: Evidence) -> Iterator[str]:
    """Look for counters whose hours do not add up to their count."""
    for name, stored in evidence.stored.items():
        if stored.count != stored.start + stored.hours:
            yield f"{name}: {stored.count}, but {stored.start} and {stored.hours} in hours"


def keys_count_once(evidence: Evidence) -> Iterator[str]:
    """Look for keys that were told two numbers, and counters that are not the sum of their keys."""
    for name, stored, hits in evidence.counters():
        if not hits[0].hit.key:
            continue
        yield from (f"{name}: {h.hit.key} was told {h.counts}" for h in hits if len(h.counts) > 1)
        unanswered = [h.hit.key for h in hits if not h.counts]
        if unanswered:
            yield f"{name}: {len(unanswered)} keys had no answer: {unanswered[:SHOWN]}"
        elif stored.count != (keys := sum(h.hit.by for h in hits)):
            yield f"{name}: {stored.count}, but keys for {keys}"


def batches_are_whole(evidence: Evidence) -> Iterator[str]:
    """Look for counters that are always hit together and differ."""
    together = {tuple(hit.counter for hit in r.hits) for r in evidence.ledger.requests}
    for names in together:
        counts = {name: evidence.stored.get(name, Stored()).count for name in names}
        if len(set(counts.values())) > 1:
            yield f"{counts}"


def numbers_go_up(evidence: Evidence) -> Iterator[str]:
    """Look for a hit that was sent after another's answer and has a smaller number."""
    for name, _, hits in evidence.counters():
        told = [(h.sent, h.ended, count - h.hit.by, count) for h in hits for count in h.counts]
        ended = sorted((end, count) for _, end, _, count in told)
        largest = number = 0
        for sent, _, before, count in sorted(told):
            while number < len(ended) and ended[number][0] < sent:
                largest = max(largest, ended[number][1])
                number += 1
            if before < largest:
                yield f"{name}: {count}, sent after the answer {largest}"


def answers_are_of_the_kind(evidence: Evidence) -> Iterator[str]:
    """Look for answers that are neither 200 nor a 503 that says what became of the hits."""
    return (r.answer.said for r in evidence.ledger.requests if r.answer.wrong)


def answers_are_in_time(evidence: Evidence) -> Iterator[str]:
    """Look for requests that hung."""
    for r in evidence.ledger.requests:
        waits = settings.DB_TIMEOUT if r.hits[0].counter == HOME else settings.HIT_TIMEOUT
        if r.ended - r.sent > waits + LEEWAY:
            yield f"{r.hits[0].counter}: {r.ended - r.sent:.1f} s"


CHECKS: dict[str, Callable[[Evidence], Iterable[str]]] = {
    "no number was given twice": numbers_are_distinct,
    "every acknowledged hit is in the count": acknowledged_are_in,
    "the count has nothing but acknowledged hits and some of the unknown": nothing_else_is_in,
    "hours add up to the count": hours_add_up,
    "with keys and retries, the count is the number of keys": keys_count_once,
    "a batch is in as a whole or not at all": batches_are_whole,
    "a hit that was sent later has the larger number": numbers_go_up,
    "every answer was 200, or 503 and said what became of the hits": answers_are_of_the_kind,
    "every answer came within its time": answers_are_in_time,
}


def _sum(hits: Iterable[Known], outcome: Outcome) -> int:
    return sum(h.hit.by for h in hits if h.outcome is outcome)

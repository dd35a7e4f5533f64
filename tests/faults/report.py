"""The report of a run, as a section of Markdown."""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from tests.faults.checkers import describe
from tests.faults.history import LOCK_FOUND_WITHIN, History, Lock, Operation, Outcome
from tests.support.project import PROJECT


def markdown(
    title: str,
    history: History,
    offences: Mapping[str, Sequence[str]],
    minutes: float,
    left_out: Sequence[str],
) -> str:
    """Return the section: what was run, the strikes, the locks, and what each checker found."""
    hits = Counter(result.outcome for result in history.results())
    outcomes = ", ".join(f"{hits[outcome]:,} {outcome.value}" for outcome in Outcome)
    left = [f"Left out for want of a disk to mount: {', '.join(left_out)}.", ""] if left_out else []
    lines = [
        f"## {title}",
        "",
        f"{datetime.now(UTC):%d %B %Y}, commit {_commit()}, Python {sys.version.split()[0]},"
        f" {minutes:.0f} minutes: {len(history.operations):,} operations."
        f" Of their hits {outcomes}.",
        "",
        "| nemesis | strikes | injuries | recovery after at most |",
        "|---|---|---|---|",
        *_strikes(history),
        "",
        *left,
        *(f"- {_views(lock, history.operations)}" for lock in history.locks),
        *(f"- {describe(name, found)}" for name, found in offences.items()),
        "",
    ]
    return "\n".join(lines)


def _strikes(history: History) -> Iterator[str]:
    by_name = defaultdict(list)
    for strike in history.strikes:
        by_name[strike.nemesis].append(strike)
    for name, strikes in sorted(by_name.items()):
        injuries = sum(strike.injuries for strike in strikes)
        slowest = max(strike.recovery for strike in strikes)
        yield f"| {name} | {len(strikes)} | {injuries} | {slowest:.1f} s |"


def _views(lock: Lock, operations: Sequence[Operation]) -> str:
    """Tell how the page's views went on while another counter was locked, and after that."""
    views = [operation for operation in operations if operation.is_view]
    found = lock.start + LOCK_FOUND_WITHIN
    during = sum(found <= view.completed < lock.end for view in views)
    after = sum(lock.end <= view.completed < 2 * lock.end - found for view in views)
    times = [v.completed - v.invoked for v in views if lock.start <= v.completed < lock.end]
    return (
        f"one counter locked: {during} views of the page were counted from {LOCK_FOUND_WITHIN} s"
        f" on, {after} in the same time after that; the longest took {max(times, default=0):.1f} s"
    )


def _commit() -> str:
    argv = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"

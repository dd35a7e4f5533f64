"""The report of a run, as a Markdown section."""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from tests.faults.checkers import verdicts
from tests.faults.history import LOCK_FOUND_WITHIN, History, Lock, Operation, Outcome
from tests.support.project import PROJECT


def markdown(
    title: str,
    history: History,
    offences: Mapping[str, Sequence[str]],
    minutes: float,
    left_out: Sequence[str],
) -> str:
    """Return the section: the run, its strikes, its locks, and the checkers' verdicts."""
    hits = Counter(result.outcome for result in history.results())
    outcomes = ", ".join(f"{hits[outcome]:,} {outcome.value}" for outcome in Outcome)
    argv = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    git = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    left = [f"Left out for want of a disk to mount: {', '.join(left_out)}.", ""] if left_out else []
    lines = [
        f"## {title}",
        "",
        f"{datetime.now(UTC):%d %B %Y}, commit {git.stdout.strip() or 'unknown'},"
        f" Python {sys.version.split()[0]}, {minutes:.0f} minutes:"
        f" {len(history.operations):,} operations. Of their hits {outcomes}.",
        "",
        "| nemesis | strikes | injuries | recovery after at most |",
        "|---|---|---|---|",
        *_strikes(history),
        "",
        *left,
        *(f"- {_views(lock, history.operations)}" for lock in history.locks),
        *(f"- {verdict}" for verdict in verdicts(offences)),
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
    """Describe the views of the page while another counter was locked."""
    views = [o for o in operations if o.is_view and lock.start <= o.completed < lock.end]
    found = sum(lock.start + LOCK_FOUND_WITHIN <= view.completed for view in views)
    longest = max((view.completed - view.invoked for view in views), default=0)
    return (
        f"one counter locked: {found} views of the page were counted from {LOCK_FOUND_WITHIN} s on;"
        f" the longest took {longest:.1f} s"
    )

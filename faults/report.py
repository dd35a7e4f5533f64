"""What a run has done and found, as a section of Markdown."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from faults.checks import Verdict
from faults.ledger import Ledger, Outcome
from tests.support.project import PROJECT
from throwaway_mysql.servers.program import Program


class Run:
    """A run's faults, and in the end what the clients were told and the verdicts."""

    def __init__(self, seed: int, program: Program, flags: Sequence[str], left_out: str) -> None:
        self.seed, self.program, self.flags, self.left_out = seed, program, flags, left_out
        self.turns, self.injuries = Counter[str](), Counter[str]()
        self.slowest: dict[str, float] = {}
        self.not_well: list[str] = []
        self.told = Counter[Outcome]()
        self.requests = 0
        self.figures: list[str] = []
        self.verdicts: list[Verdict] = []
        self._start = time.monotonic()

    def seconds(self) -> float:
        """Return how long it has taken."""
        return time.monotonic() - self._start

    def note(self, fault: str, injuries: int, well: float) -> None:
        """Note a fault, and after how many seconds the app was well again."""
        self.turns[fault] += 1
        self.injuries[fault] += injuries
        self.slowest[fault] = max(well, self.slowest.get(fault, 0))

    def close(self, ledger: Ledger, verdicts: Sequence[Verdict]) -> None:
        """Note what the clients were told, and the verdicts."""
        self.told = Counter(known.outcome for known in ledger.hits())
        self.requests = len(ledger.requests)
        well = Verdict("hits are counted again within two minutes after each fault", self.not_well)
        self.verdicts = [*verdicts, well]

    @property
    def violated(self) -> bool:
        """Whether a check does not hold."""
        return any(verdict.offences for verdict in self.verdicts)


def markdown(run: Run) -> str:
    """Return the report."""
    told = ", ".join(f"{run.told[outcome]:,} {outcome.value}" for outcome in Outcome)
    flags = f" with {' '.join(run.flags)}" if run.flags else ""
    lines = [
        f"## {run.program}{flags}, seed {run.seed}",
        "",
        f"{datetime.now(UTC):%d %B %Y}, commit {_commit()}, Python {sys.version.split()[0]},"
        f" {run.seconds() / 60:.0f} minutes: {run.requests:,} requests. Of their hits {told}.",
        "",
        "| fault | times | injuries | well again after at most |",
        "|---|---|---|---|",
        *(
            f"| {name} | {times} | {run.injuries[name]} | {run.slowest[name]:.1f} s |"
            for name, times in sorted(run.turns.items())
        ),
        "",
        *(
            [f"Left out, as there was {run.left_out}: disk-full, power-cut.", ""]
            * bool(run.left_out)
        ),
        *(f"- {line}" for line in (*run.figures, *map(str, run.verdicts))),
        "",
    ]
    return "\n".join(lines)


def _commit() -> str:
    argv = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"

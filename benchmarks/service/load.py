"""One run of the load by wrk, the load generator, and the check of what it counted."""

import itertools
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.frame import InvalidError, Measures
from benchmarks.service.contestants import CONTESTANTS, Contestant
from benchmarks.service.environment import Environment

SCRIPT = Path(__file__).with_name("load.lua")
SECONDS = 2  # of a run


@dataclass(frozen=True)
class Load:
    """Runs the load on the environment's apps."""

    environment: Environment
    seeds: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def run(self, name: str, clients: int, warm_up: int) -> Measures:
        """Load one contestant; raises InvalidError where the counts are not what was answered."""
        contestant, environment = CONTESTANTS[name], self.environment
        if warm_up:
            self._wrk(contestant, clients, warm_up)
        counted, statements = -environment.settled(contestant), -environment.statements()
        counts = self._wrk(contestant, clients, SECONDS)
        statements += environment.statements()
        counted += environment.settled(contestant)
        contestant.check(clients, counts["requests"], counted)
        return {
            "rate": counts["requests"] / counts["microseconds"] * 1e6,
            "p50": counts["p50"] / 1e3,
            "p99": counts["p99"] / 1e3,
            "statements": statements / counts["requests"],
        }

    def _wrk(self, contestant: Contestant, clients: int, seconds: int) -> dict[str, int]:
        """Let so many clients send requests, each one after the other; return what wrk counted.

        One thread, as it shares the processors with what it measures. Raises InvalidError where
        any answer was an error or did not come.
        """
        argv = ["wrk", "--threads=1", f"--connections={clients}", f"--duration={seconds}s"]
        argv += ["--timeout=10s", f"--script={SCRIPT}", self.environment.url(contestant)]
        argv += ["--", contestant.kind, str(next(self.seeds))]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
        line = done.stdout.strip().rpartition("\n")[2]
        if done.returncode or not line.startswith("{"):
            raise InvalidError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
        counts: dict[str, int] = json.loads(line)
        if counts["refused"] or counts["broken"] or not counts["requests"]:
            raise InvalidError(f"{contestant.title}, {clients} clients: not all succeeded: {line}")
        return counts

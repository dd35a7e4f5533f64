"""One run of the load by wrk, the load generator, and the check of what it counted."""

import itertools
import json
import subprocess
from pathlib import Path

from benchmarks.frame import InvalidError, Measures
from benchmarks.service.contestants import CONTESTANTS, Contestant
from benchmarks.service.environment import Environment

SCRIPT = Path(__file__).with_name("load.lua")
SECONDS, WARM_UP = 2, 1  # of a run, and of the warm-up before it
SEEDS = itertools.count(1)  # no two runs have the same


def run(environment: Environment, name: str, clients: int, *, warm_up: bool = False) -> Measures:
    """Load one contestant; raises InvalidError if the counts differ from the answers."""
    contestant = CONTESTANTS[name]
    if warm_up:
        _wrk(environment, contestant, clients, WARM_UP)
    counted, statements = -environment.settled(contestant), -environment.statements()
    counts = _wrk(environment, contestant, clients, SECONDS)
    statements += environment.statements()
    contestant.check(clients, counts["requests"], counted + environment.settled(contestant))
    return {
        "rate": counts["requests"] / counts["microseconds"] * 1e6,
        "p50": counts["p50"] / 1e3,
        "p99": counts["p99"] / 1e3,
        "statements": statements / counts["requests"],
    }


def _wrk(
    environment: Environment, contestant: Contestant, clients: int, seconds: int
) -> dict[str, int]:
    """Have `clients` clients send one request after another; return wrk's counts.

    One thread, as it shares the processors with what it measures. Raises InvalidError if any
    answer was an error or missing.
    """
    argv = ["wrk", "--threads=1", f"--connections={clients}", f"--duration={seconds}s"]
    url = f"http://127.0.0.1:{environment.ports[contestant.command]}{contestant.path}"
    argv += ["--timeout=10s", f"--script={SCRIPT}", url, "--", contestant.kind, str(next(SEEDS))]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    line = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not line.startswith("{"):
        raise InvalidError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    counts: dict[str, int] = json.loads(line)
    if counts["errors"] or not counts["requests"]:
        raise InvalidError(f"{contestant.title}, {clients} clients: not all succeeded: {line}")
    return counts

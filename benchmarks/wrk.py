"""One run of the load by wrk, the load generator."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks import VoidError
from benchmarks.contestants import Contestant

SCRIPT = Path(__file__).with_name("load.lua")
PATIENCE = 10  # seconds that an answer may take
ENDS_WITHIN = 30.0  # seconds after the time of the load


@dataclass(frozen=True)
class Report:
    """What wrk measured: all `requests` were answered, with success."""

    requests: int
    seconds: float
    p50: float  # milliseconds
    p99: float


def run(contestant: Contestant, url: str, clients: int, seconds: int, seed: int) -> Report:
    """Let so many clients send the contestant's requests to `url`, each one after the other.

    One thread, as it shares the processors with what it measures. Raises VoidError where
    any answer was an error or did not come.
    """
    argv = ["wrk", "--threads=1", f"--connections={clients}", f"--duration={seconds}s"]
    argv += [f"--timeout={PATIENCE}s", f"--script={SCRIPT}", url, "--"]
    argv += [contestant.kind, str(seed)]
    limit = seconds + ENDS_WITHIN
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=limit)
    said = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not said.startswith("{"):
        raise VoidError(f"wrk failed: {(done.stderr or done.stdout).strip()}")
    counted = json.loads(said)
    if counted["refused"] or counted["broken"] or not counted["requests"]:
        raise VoidError(f"{contestant.title}, {clients} clients: not all succeeded: {said}")
    return Report(
        requests=counted["requests"],
        seconds=counted["microseconds"] / 1e6,
        p50=counted["p50"] / 1e3,
        p99=counted["p99"] / 1e3,
    )

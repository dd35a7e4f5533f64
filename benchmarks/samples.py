"""What each run of the load measured."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One run of a contestant's load, beside a database of that engine."""

    engine: str
    contestant: str
    clients: int
    round: int
    requests: int
    seconds: float
    p50: float  # milliseconds
    p99: float
    statements: float = 0.0  # that the database was given for each request

    @property
    def rate(self) -> float:
        """Requests answered in a second."""
        return self.requests / self.seconds


def engines(samples: Sequence[Sample]) -> list[str]:
    """Return the engines in the order in which they were measured."""
    return list(dict.fromkeys(sample.engine for sample in samples))


def by_round(
    samples: Sequence[Sample], engine: str, contestant: str, clients: int
) -> dict[int, Sample]:
    """Return one contestant's samples by their round."""
    wanted = engine, contestant, clients
    return {s.round: s for s in samples if (s.engine, s.contestant, s.clients) == wanted}


def middle(
    samples: Sequence[Sample], engine: str, contestant: str, clients: int, what: str
) -> float:
    """Return the median, over the rounds, of an attribute of the samples."""
    chosen = by_round(samples, engine, contestant, clients).values()
    return float(median(getattr(sample, what) for sample in chosen))


def dump(machine: dict[str, str], samples: Sequence[Sample]) -> str:
    """Return JSON with a line for each sample, so that versions can be compared."""
    lines = ",\n".join(json.dumps(asdict(sample)) for sample in samples)
    return f'{{"machine": {json.dumps(machine, indent=1)},\n"samples": [\n{lines}\n]}}\n'


def load(text: str) -> tuple[dict[str, str], list[Sample]]:
    """Return machine and samples from what `dump` made of them."""
    kept = json.loads(text)
    return kept["machine"], [Sample(**fields) for fields in kept["samples"]]

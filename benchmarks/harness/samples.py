"""What each measurement came to."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Sample:
    """One measurement beside a server of that engine: milliseconds, or megabytes."""

    engine: str
    name: str
    round: int
    value: float


def engines(samples: Sequence[Sample]) -> list[str]:
    """Return the engines in the order in which they were measured."""
    return list(dict.fromkeys(sample.engine for sample in samples))


def by_round(samples: Sequence[Sample], engine: str, name: str) -> dict[int, float]:
    """Return what one name's samples came to, by their round."""
    return {s.round: s.value for s in samples if (s.engine, s.name) == (engine, name)}


def dump(machine: dict[str, str], notes: Sequence[str], samples: Sequence[Sample]) -> str:
    """Return JSON with a line for each sample, so that versions can be compared."""
    lines = ",\n".join(json.dumps(asdict(sample)) for sample in samples)
    head = json.dumps({"machine": machine, "notes": list(notes)}, indent=1)[:-2]
    return f'{head},\n "samples": [\n{lines}\n]}}\n'


def load(text: str) -> tuple[dict[str, str], list[str], list[Sample]]:
    """Return machine, notes and samples from what `dump` made of them."""
    kept = json.loads(text)
    return kept["machine"], kept["notes"], [Sample(**fields) for fields in kept["samples"]]

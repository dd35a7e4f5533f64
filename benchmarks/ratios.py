"""What is compared with what, and what each ratio should come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contestants import CLIENTS
from benchmarks.samples import Sample, by_round


@dataclass(frozen=True)
class Ratio:
    """An attribute of the contestant `over` by that of `under`, or by 1; its aim, if any."""

    title: str
    over: str
    under: str = ""
    what: str = "rate"
    clients: int = CLIENTS
    least: float | None = None
    most: float | None = None

    @property
    def aim(self) -> str:
        """The aim in words."""
        if self.least is not None:
            return f"at least {self.least:g}"
        return "reported" if self.most is None else f"at most {self.most:g}"

    @property
    def has_aim(self) -> bool:
        """Tell whether there is an aim at all."""
        return (self.least, self.most) != (None, None)

    def is_met(self, value: float) -> bool:
        """Tell whether the value is what it should be."""
        enough = self.least is None or value >= self.least
        return enough and (self.most is None or value <= self.most)

    def rounds(self, samples: Sequence[Sample], engine: str) -> list[float]:
        """Return the ratio of each round: what slows both sides of one is not seen in it."""
        over = by_round(samples, engine, self.over, self.clients)
        under = by_round(samples, engine, self.under, self.clients) if self.under else {}
        return [
            getattr(sample, self.what) / (getattr(under[number], self.what) if self.under else 1)
            for number, sample in over.items()
        ]

    def value(self, samples: Sequence[Sample], engine: str) -> float:
        """Return the median of the rounds' ratios."""
        return median(self.rounds(samples, engine))


RATIOS = [
    Ratio("hits on one counter / bare ASGI app", "hits", "bare", least=0.5),
    Ratio("the same / Quart, SQLAlchemy, one UPDATE a request", "hits", "sqlalchemy", least=10),
    Ratio("the same / Quart, Redis INCR, fsync always", "hits", "redis", least=4),
    Ratio("the page `/` / a static page of the same app", "page", "static", least=0.9),
    Ratio("hits on 1,000 counters, Zipf 1.1 / on one", "zipf", "hits", least=0.55),
    Ratio("hits with idempotency keys / without", "keys", "hits", least=0.4),
    Ratio(
        "p50 of a lone client's hit / of a bare `UPDATE; COMMIT`",
        "lone hit",
        "lone bare",
        what="p50",
        clients=1,
        most=2,
    ),
    Ratio(
        "p50 of a lone client's page / of a bare `UPDATE; COMMIT`",
        "lone page",
        "lone bare",
        what="p50",
        clients=1,
        most=3,
    ),
    Ratio("statements a hit, 64 clients", "hits", what="statements", most=0.1),
    Ratio("two workers / one", "pair", "hits"),
    Ratio("hits under hypercorn / under uvicorn", "hypercorn", "hits"),
    Ratio("hits under granian / under uvicorn", "granian", "hits"),
]

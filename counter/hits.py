"""Hits that wait for their numbers, and the batches that they go in."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Hit:
    """A hit on the counter `name`; it is over when it is answered or its caller is gone."""

    name: str
    by: int
    deadline: float  # on the event loop's clock
    answer: asyncio.Future[int]
    sent: bool = False  # its outcome is the database's to tell

    def is_over(self) -> bool:
        """Tell whether nobody waits for it."""
        return self.answer.done()

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(eq=False, slots=True)
class Batch:
    """Hits that are written together; `unsure` once an answer was lost on the way."""

    number: int
    hits: list[Hit]
    unsure: bool = False
    sums: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for hit in self.hits:
            hit.sent = True
            self.sums[hit.name] = self.sums.get(hit.name, 0) + hit.by

    def is_over(self) -> bool:
        """Tell whether nobody waits for any of its hits."""
        return all(hit.is_over() for hit in self.hits)

    def answer(self, totals: Mapping[str, int]) -> None:
        """Give each hit its number, from the counts after the batch."""
        counts = {name: totals[name] - added for name, added in self.sums.items()}
        for hit in self.hits:
            counts[hit.name] += hit.by
            if not hit.answer.done():
                hit.answer.set_result(counts[hit.name])

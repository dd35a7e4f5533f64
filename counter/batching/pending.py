"""Pending requests: hits that their caller wants counted together."""

import asyncio
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from counter.hits import Counted, CounterKey, Hit, HitError, ReusedKeyError, StoredAnswer


@dataclass(eq=False, slots=True)
class Pending:
    """One caller's hits, counted together or not at all.

    Done once it is answered or its caller is gone.
    """

    hits: Sequence[Hit]
    deadline: float  # on the event loop's clock
    answer: asyncio.Future[list[Counted]]
    sent: bool = False  # only the database knows its outcome
    parked_until: float = 0  # on that clock; 0 if it is not parked by time
    known: dict[CounterKey, int] = field(default_factory=dict)  # keys that were counted before

    def is_done(self) -> bool:
        """Tell whether nobody waits for it any more."""
        return self.answer.done()

    def touches(self, names: Container[str]) -> bool:
        """Tell whether it has a hit on one of these counters."""
        return any(hit.name in names for hit in self.hits)

    def fail(self, error: HitError) -> None:
        """Answer with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def learn(self, counted: Mapping[CounterKey, StoredAnswer]) -> None:
        """Note the stored answers of its keys; if all its hits have one, answer it."""
        for hit in self.hits:
            stored = counted.get((hit.name, hit.key)) if hit.key else None
            if stored and stored.by != hit.by:
                self.fail(ReusedKeyError())
            elif stored and hit.key:
                self.known[hit.name, hit.key] = stored.count
        if len(self.known) == len(self.hits) and not self.answer.done():
            counts = (self.known[hit.name, hit.key or ""] for hit in self.hits)
            self.answer.set_result([Counted(count, replayed=True) for count in counts])

"""What the clients asked for and what they were told, request by request."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum


class Outcome(Enum):
    """What a client knows of its hits."""

    COUNTED = "counted"
    REFUSED = "not counted"  # so it was told, or nothing was sent
    UNKNOWN = "unknown"  # so it was told, or no answer came


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit on a counter; with a key, however often it is sent, it is the same hit."""

    counter: str  # namespace/key
    by: int = 1
    key: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request: the count of each of its hits, where it was counted."""

    outcome: Outcome
    counts: tuple[int, ...] = ()
    said: str = ""
    wrong: bool = False  # no answer that the app may give


@dataclass(frozen=True, slots=True)
class Request:
    """Hits that were sent together, the moments of that and of the answer, and the answer."""

    hits: tuple[Hit, ...]
    sent: float
    ended: float
    answer: Answer


@dataclass(slots=True)
class Known:
    """All that is known of one hit; with a key, from all requests that had it."""

    hit: Hit
    sent: float
    outcome: Outcome = Outcome.REFUSED
    ended: float = 0.0  # when its count was told first
    counts: set[int] = field(default_factory=set)  # one, if all is well

    def learn(self, request: Request, count: int | None) -> None:
        """Take in what a request told: to be counted is surer than unknown, than refused."""
        self.sent = min(self.sent, request.sent)
        outcome = request.answer.outcome
        if count is not None:
            self.ended = min(self.ended, request.ended) if self.counts else request.ended
            self.counts.add(count)
            self.outcome = outcome
        elif outcome is Outcome.UNKNOWN and not self.counts:
            self.outcome = outcome


class Ledger:
    """Every request with its answer, in the order of the answers."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.told = Counter[Outcome]()  # how many requests were told what
        self._more = asyncio.Event()

    def record(self, request: Request) -> None:
        """Keep a request."""
        self.requests.append(request)
        self.told[request.answer.outcome] += 1
        self._more.set()

    async def more(self, number: int, within: float, outcome: Outcome = Outcome.COUNTED) -> None:
        """Return once so many more requests were told that; raise TimeoutError in the end."""
        enough = self.told[outcome] + number
        async with asyncio.timeout(within):
            while self.told[outcome] < enough:
                self._more.clear()
                await self._more.wait()

    def counted(self, counter: str, start: float, end: float) -> list[Request]:
        """Return the requests for one hit on the counter that were counted in that time."""
        return [
            request
            for request in self.requests
            if start <= request.ended < end
            and request.answer.outcome is Outcome.COUNTED
            and [hit.counter for hit in request.hits] == [counter]
        ]

    def hits(self) -> list[Known]:
        """Return what is known of each hit."""
        keyed: dict[str, Known] = {}
        known: list[Known] = []
        for request, hit, count in self._told():
            if hit.key not in keyed:
                known.append(Known(hit, request.sent))
                if hit.key:
                    keyed[hit.key] = known[-1]
            (keyed[hit.key] if hit.key else known[-1]).learn(request, count)
        return known

    def _told(self) -> Iterator[tuple[Request, Hit, int | None]]:
        for request in self.requests:
            counts = request.answer.counts or [None] * len(request.hits)
            for hit, count in zip(request.hits, counts, strict=True):
                yield request, hit, count

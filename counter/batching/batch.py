"""Batches: requests that are written together, and the number that each of their hits gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from counter.batching.pending import Pending
from counter.hits import Counted, CounterKey, Hit, ReusedKeyError


@dataclass(slots=True)
class Slot:
    """A hit's place in its batch: `count` is what the batch has added to the counter by then."""

    name: str  # empty if the count is known without the batch
    count: int
    replayed: bool = False


@dataclass(slots=True)
class FirstUse:
    """The first hit of a key in a batch; after it, the batch has added `offset` to the counter."""

    by: int
    offset: int


@dataclass(eq=False, slots=True)
class Batch:
    """Requests that are written together; `in_doubt` once an attempt's answer was lost.

    The first hit with a key counts; later ones are its replays.
    """

    number: int
    requests: list[Pending]
    in_doubt: bool = False
    sums: dict[str, int] = field(default_factory=dict)  # by counter
    keys: dict[CounterKey, FirstUse] = field(default_factory=dict)
    _slots: list[list[Slot]] = field(default_factory=list)

    def __post_init__(self) -> None:
        requests, self.requests = self.requests, []
        for request in requests:
            if self._has_other(request):
                request.fail(ReusedKeyError())
                continue
            request.sent = True
            self.requests.append(request)
            self._slots.append([self._slot(request, hit) for hit in request.hits])

    def is_done(self) -> bool:
        """Tell whether nobody waits for any of its requests any more."""
        return all(request.is_done() for request in self.requests)

    def answer(self, totals: Mapping[str, int]) -> None:
        """Give each hit its number, from the counts after the batch."""
        before = {name: totals[name] - added for name, added in self.sums.items()}
        before[""] = 0
        for request, slots in zip(self.requests, self._slots, strict=True):
            if not request.answer.done():
                request.answer.set_result(
                    [Counted(before[slot.name] + slot.count, slot.replayed) for slot in slots]
                )

    def _has_other(self, request: Pending) -> bool:
        """Tell whether the batch has a key of the request with another `by`."""
        if not self.keys:
            return False
        firsts = ((self.keys.get((hit.name, hit.key or "")), hit.by) for hit in request.hits)
        return any(first and first.by != by for first, by in firsts)

    def _slot(self, request: Pending, hit: Hit) -> Slot:
        if hit.key:
            keyed = hit.name, hit.key
            if keyed in request.known:
                return Slot("", request.known[keyed], replayed=True)
            if keyed in self.keys:
                return Slot(hit.name, self.keys[keyed].offset, replayed=True)
        count = self.sums[hit.name] = self.sums.get(hit.name, 0) + hit.by
        if hit.key:
            self.keys[hit.name, hit.key] = FirstUse(hit.by, count)
        return Slot(hit.name, count)

"""Batches: orders that are written together, and which number each of their hits gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from werkzeug.exceptions import UnprocessableEntity

from counter.batching.pending import Order
from counter.hits import REUSED, Hit, Keyed, Number


@dataclass(slots=True)
class Place:
    """Where a hit stands in its batch: after it, the batch has added so much to the counter."""

    name: str  # empty where the count is known without the batch
    count: int
    replayed: bool = False


@dataclass(slots=True)
class First:
    """The first hit of a key in a batch; after it, the batch has added `offset` to the counter."""

    by: int
    offset: int


@dataclass(eq=False, slots=True)
class Batch:
    """Orders that are written together; `unsure` once an answer was lost on the way.

    A key counts with the first hit that has it; the others are replays of that.
    """

    number: int
    orders: list[Order]
    unsure: bool = False
    sums: dict[str, int] = field(default_factory=dict)  # by counter
    keys: dict[Keyed, First] = field(default_factory=dict)
    _places: list[list[Place]] = field(default_factory=list)

    def __post_init__(self) -> None:
        orders, self.orders = self.orders, []
        for order in orders:
            if self._has_other(order):
                order.fail(UnprocessableEntity(REUSED))
                continue
            order.sent = True
            self.orders.append(order)
            self._places.append([self._place(order, hit) for hit in order.hits])

    def is_over(self) -> bool:
        """Tell whether nobody waits for any of its orders."""
        return all(order.is_over() for order in self.orders)

    def size(self) -> int:
        """Return the number of hits."""
        return sum(len(order.hits) for order in self.orders)

    def answer(self, totals: Mapping[str, int]) -> None:
        """Give each hit its number, from the counts after the batch."""
        before = {name: totals[name] - added for name, added in self.sums.items()}
        before[""] = 0
        for order, places in zip(self.orders, self._places, strict=True):
            if not order.answer.done():
                order.answer.set_result(
                    [Number(before[place.name] + place.count, place.replayed) for place in places]
                )

    def _has_other(self, order: Order) -> bool:
        """Tell whether a key of the order is in the batch for another `by`."""
        if not self.keys:
            return False
        firsts = ((self.keys.get((hit.name, hit.key or "")), hit.by) for hit in order.hits)
        return any(first and first.by != by for first, by in firsts)

    def _place(self, order: Order, hit: Hit) -> Place:
        if hit.key:
            keyed = hit.name, hit.key
            if keyed in order.known:
                return Place("", order.known[keyed], replayed=True)
            if keyed in self.keys:
                return Place(hit.name, self.keys[keyed].offset, replayed=True)
        count = self.sums[hit.name] = self.sums.get(hit.name, 0) + hit.by
        if hit.key:
            self.keys[hit.name, hit.key] = First(hit.by, count)
        return Place(hit.name, count)

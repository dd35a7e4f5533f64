"""Orders, which are hits that a caller wants counted together, and the queue that they wait in."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from werkzeug.exceptions import UnprocessableEntity

from counter.tally.hits import REUSED, Hit, Kept, Keyed, Number


@dataclass(eq=False, slots=True)
class Order:
    """One caller's hits, counted together or not at all.

    It is over when it is answered or its caller is gone.
    """

    hits: Sequence[Hit]
    deadline: float  # on the event loop's clock
    answer: asyncio.Future[list[Number]]
    sent: bool = False  # its outcome is the database's to tell
    known: dict[Keyed, int] = field(default_factory=dict)  # keys that were counted before

    def is_over(self) -> bool:
        """Tell whether nobody waits for it."""
        return self.answer.done()

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def learn(self, counted: Mapping[Keyed, Kept]) -> None:
        """Take up what keys were answered before; with all known, this is over."""
        for hit in self.hits:
            kept = counted.get((hit.name, hit.key)) if hit.key else None
            if kept and kept.by != hit.by:
                self.fail(UnprocessableEntity(REUSED))
            elif kept and hit.key:
                self.known[hit.name, hit.key] = kept.count
        if len(self.known) == len(self.hits) and not self.answer.done():
            counts = (self.known[hit.name, hit.key or ""] for hit in self.hits)
            self.answer.set_result([Number(count, replayed=True) for count in counts])


class Queue:
    """Orders that wait, first come first served; `size` is the number of their hits."""

    def __init__(self) -> None:
        self._orders: deque[Order] = deque()
        self.size = 0

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders)

    def append(self, order: Order) -> None:
        """Let an order wait."""
        self._orders.append(order)
        self.size += len(order.hits)

    def put_back(self, orders: Sequence[Order]) -> None:
        """Let orders wait before all others."""
        for order in reversed(orders):
            order.sent = False
            self._orders.appendleft(order)
            self.size += len(order.hits)

    def take(self, most: int) -> list[Order]:
        """Take out the first orders, of so many hits or, if it has more, the first alone."""
        taken: list[Order] = []
        while self._orders and (not taken or len(self._orders[0].hits) <= most):
            order = self._orders.popleft()
            self.size -= len(order.hits)
            if not order.is_over():  # withdrawn, or its caller is gone
                taken.append(order)
                most -= len(order.hits)
        return taken

    def drop_those_that_are_over(self) -> None:
        """Free the memory of orders that nobody waits for."""
        self._orders = deque(order for order in self._orders if not order.is_over())
        self.size = sum(len(order.hits) for order in self._orders)

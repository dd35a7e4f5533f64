"""The queue of orders: which go next, and which are kept from the others."""

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from counter.batching.lanes import Groups, Line
from counter.batching.locks import UNSEEN, Locks
from counter.batching.pending import Order

SMALL = 10  # hits
SUSPECTS = 1000  # counters that are remembered to have failed


class Queue:
    """Orders that wait, in lines that have room for `bound` hits each.

    Small and large orders take turns, so a flood of large ones leaves the small ones half of
    the time. Two kinds of order are kept from the others, which would wait or fail with them:

    - those on a counter that somebody else has locked wait until it is released;
    - those on a counter of `suspects` are tried apart, one by one, as are the parts of a batch
      that failed. They take turns with all others.
    """

    def __init__(self, bound: int) -> None:
        self.suspects: set[str] = set()  # counters whose last order failed
        self._bound = bound
        self._small, self._large, self._aside = Line(), Line(), Line()
        self._turns = deque([self._small, self._large])
        self._apart, self._apart_next = Groups(), False
        self._locks = Locks()
        self.look_at = math.inf  # when an order that was put aside may go on, on the loop's clock

    def __iter__(self) -> Iterator[Order]:
        return chain(self._apart, self._small, self._large, self._aside)

    def is_ready(self) -> bool:
        """Tell whether an order may be taken."""
        return bool(self._small.size or self._large.size or self._apart.size)

    def add(self, order: Order) -> bool:
        """Let an order wait; return whether there was room for it."""
        line = self._line(order)
        if line.size + len(order.hits) > self._bound:
            return False
        line.append(order)
        return True

    def put_back(self, orders: Sequence[Order]) -> None:
        """Let orders wait before all others."""
        for order in reversed(orders):
            order.sent = False
            self._line(order).appendleft(order)

    def try_apart(self, *groups: Sequence[Order]) -> None:
        """Let each group be tried without other orders, before those that wait to be."""
        for group in filter(None, reversed(groups)):
            for order in group:
                order.sent = False
            self._apart.appendleft(*group)

    def take(self, most: int) -> list[Order]:
        """Take out a group that is to be tried apart, or orders of so many hits at most."""
        self._apart_next = not self._apart_next
        if self._apart.size and (self._apart_next or not (self._small.size or self._large.size)):
            return self._take_apart()
        self._turns.rotate()
        first, second = self._turns
        taken = first.take(most)
        if second.size:
            taken += second.take(most - sum(len(order.hits) for order in taken))
        return taken

    def lock(self, counts: Mapping[str, str], now: float) -> None:
        """Let orders wait whose counters were seen to be locked, with these counts."""
        self._locks.see(counts, now)
        self._sort()

    def set_aside(self, order: Order, new: Collection[str], now: float) -> None:
        """Let an order wait, and others on its counter of `new`, as its lock is not seen.

        Where it is not known which counter it waits for, it is parked alone, and they are tried.
        """
        order.sent = False
        if len(new) == 1:
            self._locks.suppose(new, now)
        else:
            order.parked_until = now + UNSEEN
        self._aside.append(order)
        self.suspect(new or {hit.name for hit in order.hits})

    def has_aside(self) -> bool:
        """Tell whether an order was put aside."""
        return self._aside.size > 0

    def due(self, now: float) -> list[str]:
        """Return the locked counters that are to be looked at again."""
        return self._locks.due(now)

    def release(self, due: Collection[str], seen: Mapping[str, str], now: float) -> None:
        """Let orders go on whose counters are locked no longer, or that were parked until now."""
        self._locks.release(due, seen, now)
        for order in self._aside:
            if order.parked_until <= now:
                order.parked_until = 0
        self._sort()

    def suspect(self, names: Collection[str]) -> None:
        """Try orders on these counters apart from others until one succeeds."""
        if len(self.suspects) > SUSPECTS:
            self.suspects.clear()
        self.suspects.update(names)
        self._sort()

    def drop_those_that_are_over(self) -> None:
        """Free the memory of orders that nobody waits for."""
        for line in (self._apart, self._small, self._large, self._aside):
            line.drop_those_that_are_over()

    def _sort(self) -> None:
        """Let each order wait where it belongs now."""
        lines = (self._aside, self._small, self._large)
        for order in [order for line in lines for order in line.take(line.size)]:
            self._line(order).append(order)
        parked = (order.parked_until for order in self._aside if order.parked_until)
        self.look_at = min(chain(parked, self._locks.looks()), default=math.inf)

    def _take_apart(self) -> list[Order]:
        free: list[Order] = []
        for order in self._apart.take():
            if order.touches(self._locks):
                self._aside.append(order)
            else:
                free.append(order)
        return free

    def _line(self, order: Order) -> Line | Groups:
        """Return where an order belongs."""
        if order.parked_until or (self._locks and order.touches(self._locks)):
            return self._aside
        if self.suspects and order.touches(self.suspects):
            return self._apart
        return self._small if len(order.hits) <= SMALL else self._large

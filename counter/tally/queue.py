"""The queue of orders: which go next, and which are kept from the others."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from itertools import chain

from counter.tally.orders import Order

SMALL = 10  # hits
SUSPECTS = 1000  # counters that are remembered to have failed


class Line:
    """Orders, first come first served; `size` is the number of their hits."""

    def __init__(self) -> None:
        self.orders: deque[Order] = deque()
        self.size = 0

    def append(self, order: Order) -> None:
        """Add an order behind all others."""
        self.orders.append(order)
        self.size += len(order.hits)

    def appendleft(self, order: Order) -> None:
        """Add an order before all others."""
        self.orders.appendleft(order)
        self.size += len(order.hits)

    def take(self, most: int) -> list[Order]:
        """Take out the first orders that have no more hits than that together."""
        taken: list[Order] = []
        while self.orders and len(self.orders[0].hits) <= most:
            order = self.orders.popleft()
            self.size -= len(order.hits)
            if not order.is_over():  # withdrawn, or its caller is gone
                taken.append(order)
                most -= len(order.hits)
        return taken

    def drop_those_that_are_over(self) -> None:
        """Free the memory of orders that nobody waits for."""
        self.orders = deque(order for order in self.orders if not order.is_over())
        self.size = sum(len(order.hits) for order in self.orders)


class Queue:
    """Orders that wait, in lines that have room for `bound` hits each.

    Small and large orders take turns, so a flood of large ones leaves the small ones half of
    the time. Two kinds of order are kept from the others, which would wait or fail with them:

    - those on a counter of `locked` wait until it is released;
    - those on a counter of `suspects` are tried apart, one by one, as are the parts of a batch
      that failed. They take turns with all others.
    """

    def __init__(self, bound: int) -> None:
        self.locked: set[str] = set()  # counters that somebody else has locked
        self.suspects: set[str] = set()  # counters whose last order failed
        self._bound = bound
        self._small, self._large, self._aside = Line(), Line(), Line()
        self._turns = deque([self._small, self._large])
        self._apart: deque[list[Order]] = deque()
        self._apart_next = False

    def __iter__(self) -> Iterator[Order]:
        lines = (self._small, self._large, self._aside)
        return chain(*self._apart, *(line.orders for line in lines))

    def is_ready(self) -> bool:
        """Tell whether an order may be taken."""
        return bool(self._small.size or self._large.size or self._apart)

    def has_aside(self) -> bool:
        """Tell whether an order waits for a locked counter."""
        return self._aside.size > 0

    def add(self, order: Order) -> bool:
        """Let an order wait; return whether there was room for it."""
        line = self._line(order)
        if line is None:
            if len(self._apart) < self._bound:
                self._apart.append([order])
                return True
        elif line.size + len(order.hits) <= self._bound:
            line.append(order)
            return True
        return False

    def put_back(self, orders: Sequence[Order]) -> None:
        """Let orders wait before all others."""
        for order in reversed(orders):
            order.sent = False
            line = self._line(order)
            if line is None:
                self._apart.appendleft([order])
            else:
                line.appendleft(order)

    def try_apart(self, *groups: Sequence[Order]) -> None:
        """Let each group be tried without other orders, before those that wait to be."""
        for group in filter(None, reversed(groups)):
            for order in group:
                order.sent = False
            self._apart.appendleft(list(group))

    def take(self, most: int) -> list[Order]:
        """Take out a group that is to be tried apart, or orders of so many hits at most."""
        self._apart_next = not self._apart_next
        if self._apart and (self._apart_next or not (self._small.size or self._large.size)):
            return self._take_apart()
        self._turns.rotate()
        first, second = self._turns
        taken = first.take(most)
        if second.size:
            taken += second.take(most - sum(len(order.hits) for order in taken))
        return taken

    def lock(self, names: Collection[str]) -> None:
        """Let orders on these counters wait until they are released."""
        self.locked.update(names)
        self._sort()

    def suspect(self, names: Collection[str]) -> None:
        """Try orders on these counters apart from others until one succeeds."""
        if len(self.suspects) > SUSPECTS:
            self.suspects.clear()
        self.suspects.update(names)
        self._sort()

    def release(self, still_locked: set[str]) -> None:
        """Let orders be taken again whose counters are locked no longer."""
        self.locked = still_locked
        self._sort()

    def drop_those_that_are_over(self) -> None:
        """Free the memory of orders that nobody waits for."""
        for line in (self._small, self._large, self._aside):
            line.drop_those_that_are_over()
        live = ([order for order in group if not order.is_over()] for group in self._apart)
        self._apart = deque(group for group in live if group)

    def _sort(self) -> None:
        """Let each order wait where it belongs now."""
        lines = (self._aside, self._small, self._large)
        waiting = [order for line in lines for order in line.take(line.size)]
        for order in waiting:
            line = self._line(order)
            if line is None:
                self._apart.append([order])
            else:
                line.append(order)

    def _take_apart(self) -> list[Order]:
        group = [order for order in self._apart.popleft() if not order.is_over()]
        free = [order for order in group if not _touches(order, self.locked)]
        for order in group:
            if order not in free:
                self._aside.append(order)
        return free

    def _line(self, order: Order) -> Line | None:
        """Return where an order belongs; None where it is to be tried apart."""
        if self.locked and _touches(order, self.locked):
            return self._aside
        if self.suspects and _touches(order, self.suspects):
            return None
        return self._small if len(order.hits) <= SMALL else self._large


def _touches(order: Order, names: set[str]) -> bool:
    return any(hit.name in names for hit in order.hits)

"""What orders wait in: lines, first come first served, and groups that are tried apart."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from counter.batching.pending import Order


class Line:
    """Orders, first come first served; `size` is the number of their hits."""

    def __init__(self) -> None:
        self.orders: deque[Order] = deque()
        self.size = 0

    def __iter__(self) -> Iterator[Order]:
        return iter(self.orders)

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
        self.orders = deque(_live(self.orders))
        self.size = _size(self.orders)


class Groups:
    """Groups of orders, each to be tried without others; `size` is the number of their hits."""

    def __init__(self) -> None:
        self.groups: deque[Sequence[Order]] = deque()
        self.size = 0

    def __iter__(self) -> Iterator[Order]:
        return chain(*self.groups)

    def append(self, order: Order) -> None:
        """Add an order behind all others, as a group of its own."""
        self.groups.append([order])
        self.size += len(order.hits)

    def appendleft(self, *group: Order) -> None:
        """Add a group before all others."""
        self.groups.appendleft(group)
        self.size += _size(group)

    def take(self) -> list[Order]:
        """Take out the first group."""
        group = self.groups.popleft()
        self.size -= _size(group)
        return _live(group)

    def drop_those_that_are_over(self) -> None:
        """Free the memory of orders that nobody waits for."""
        self.groups = deque(filter(None, map(_live, self.groups)))
        self.size = _size(self)


def _live(orders: Iterable[Order]) -> list[Order]:
    return [order for order in orders if not order.is_over()]


def _size(orders: Iterable[Order]) -> int:
    return sum(len(order.hits) for order in orders)

"""Hits, the orders that wait for their numbers, and the batches that they go in."""

import asyncio
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from werkzeug.exceptions import UnprocessableEntity

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}/[A-Za-z0-9_.-]{1,64}", re.ASCII)
KEY = re.compile(r"[!-~]{1,64}", re.ASCII)  # visible ASCII
LARGEST = 1_000_000  # that one hit adds

REUSED = "The idempotency key was used with another `by` on this counter. Nothing was counted."

Keyed = tuple[str, str]  # a counter's name and an idempotency key of it


@dataclass(frozen=True, slots=True)
class Hit:
    """Something to count: `by` on the counter `name`, once for each idempotency key."""

    name: str  # namespace/key
    by: int = 1
    key: str | None = None

    def is_valid(self) -> bool:
        """Tell whether name, number and key are within their limits."""
        if self.key is not None and not KEY.fullmatch(self.key):
            return False
        return 1 <= self.by <= LARGEST and NAME.fullmatch(self.name) is not None


@dataclass(slots=True)
class Number:
    """What a hit is answered: the count right after it, and whether its key was known."""

    count: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a key was answered, and for which `by`."""

    by: int
    count: int


@dataclass(slots=True)
class Place:
    """Where a hit stands in its batch: after it, the batch has added so much to the counter."""

    name: str  # empty where the count is known without the batch
    count: int
    replayed: bool = False


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

    def learn(self, answers: Mapping[Keyed, Answer]) -> None:
        """Take up what keys were answered before; with all known, this is over."""
        for hit in self.hits:
            answer = answers.get((hit.name, hit.key)) if hit.key else None
            if answer and answer.by != hit.by:
                self.fail(UnprocessableEntity(REUSED))
            elif answer and hit.key:
                self.known[hit.name, hit.key] = answer.count
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


@dataclass(eq=False, slots=True)
class Batch:
    """Orders that are written together; `unsure` once an answer was lost on the way.

    A key counts with the first hit that has it; the others are replays of that.
    """

    number: int
    orders: list[Order]
    unsure: bool = False
    sums: dict[str, int] = field(default_factory=dict)  # by counter
    keys: dict[Keyed, Answer] = field(default_factory=dict)  # with places instead of counts
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
        firsts = ((self.keys.get((hit.name, hit.key or "")), hit.by) for hit in order.hits)
        return any(first and first.by != by for first, by in firsts)

    def _place(self, order: Order, hit: Hit) -> Place:
        keyed = hit.name, hit.key or ""
        if keyed in order.known:
            return Place("", order.known[keyed], replayed=True)
        if keyed in self.keys:
            return Place(hit.name, self.keys[keyed].count, replayed=True)
        count = self.sums[hit.name] = self.sums.get(hit.name, 0) + hit.by
        if hit.key:
            self.keys[keyed] = Answer(hit.by, count)
        return Place(hit.name, count)

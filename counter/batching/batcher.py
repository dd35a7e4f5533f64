"""The tally: hits that arrive while a batch is written go together in the next one."""

import asyncio
import logging
import math
import random
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from itertools import chain

from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable, UnprocessableEntity

from counter.batching.batch import Batch
from counter.batching.locks import Seen
from counter.batching.pending import Order
from counter.batching.queue import Queue
from counter.batching.writer import (
    KeysKnownError,
    LockedError,
    NotWrittenError,
    RefusedError,
    SchemaError,
    TooLongError,
    UnsureError,
    Writer,
)
from counter.hits import MOST, Hit, Number, check
from db import NOT_MIGRATED, RETRY_AFTER

BOUND = 10_000  # hits that wait in a line
OUT_OF_RANGE = 1690  # the server's error
TICK = 0.02  # seconds that an order may wait beyond its deadline
PAUSE, LONGEST_PAUSE = 0.02, 1.0  # seconds between attempts, doubled each time

FULL = "Too many hits wait for the database. This one was not counted."
ENDING = "This server is ending. The hit was not counted."
LATE = "The database did not take the hit in time. It was not counted."
LOST = "The database was lost before it answered. The hit may have been counted."
LONG = (
    "The database takes no statement of that length. Send fewer hits at a time. None was counted."
)
LARGE = "The count would exceed 18446744073709551615. The hit was not counted."
FAULT = "The hit was not counted, for a reason that is in the log."
REFUSED = "The database refuses the hit, for a reason that is in the log. It was not counted."

log = logging.getLogger(__name__)


class Tally:
    """Gives each hit a number of its own, once it is durable.

    One task writes one batch after the other. An order ends with its numbers, or with a
    ServiceUnavailable that tells whether it was counted; none waits beyond its deadline.
    """

    def __init__(self, writer: Writer, bound: int = BOUND) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()  # kept: to ask for it is a system call
        self._waiting = Queue(bound)
        self._batch: Batch | None = None  # being written, or its outcome unknown
        self._number = 0
        self._schema_logged = False
        self._ending = False
        self._wake = asyncio.Event()
        self._clock: asyncio.Handle | None = None
        self._due = math.inf  # when the clock rings: the first deadline of all
        self._task = self._loop.create_task(self._run(), name="tally")

    async def hit(self, name: str, by: int, within: float) -> int:
        """Add `by` to the counter; return its count right after that.

        Raises what `count` does.
        """
        (number,) = await self.count((Hit(name, by),), within)
        return number.count

    async def count(self, hits: Sequence[Hit], within: float) -> list[Number]:
        """Count from 1 to MOST hits, all or none; return the number of each, in their order.

        Raises ServiceUnavailable within `within` seconds where the database is away,
        UnprocessableEntity where a count would become too large or a key was used with another
        `by`, and ValueError where a hit is not valid or a key comes twice.
        """
        check(hits)
        order = Order(hits, self._loop.time() + within, self._loop.create_future())
        if self._ending or not self._waiting.add(order):
            raise _unavailable(ENDING if self._ending else FULL)
        self._wake.set()
        if order.deadline < self._due:
            self._set_clock(order.deadline)
        return await order.answer

    def end(self, within: float) -> None:
        """Refuse what is new, and let what was accepted wait so many seconds at most."""
        self._ending = True
        self._wake.set()
        latest = self._loop.time() + within
        for order in self._unanswered():
            order.deadline = min(order.deadline, latest)
        self._expire()

    async def close(self, within: float) -> None:
        """End, and return when all is answered."""
        self.end(within)
        try:
            if any(self._unanswered()):
                await asyncio.wait([self._task], timeout=within)
        finally:
            self._task.cancel()
            for order in self._unanswered():
                order.fail(_unavailable(LOST if order.sent else ENDING))
            self._set_clock(math.inf)
            await asyncio.gather(self._task, return_exceptions=True)
            self._writer.close()

    async def _run(self) -> None:
        pause = PAUSE
        while not self._ending or any(self._unanswered()):
            try:
                await self._turn()
                pause = PAUSE
            except (NotWrittenError, UnsureError) as error:
                if pause == 2 * PAUSE:  # one line for each outage, and none for a conflict
                    log.warning("hits wait for the database: %r", error.__cause__)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 (no secret)
                pause = min(2 * pause, LONGEST_PAUSE)
            except SchemaError as error:
                if not self._schema_logged:
                    log.warning("hits are given up: %s", error)
                self._schema_logged = True
                self._give_up(f"{NOT_MIGRATED} The hit was not counted.")
            except Exception:  # whatever it is, nobody may hang
                log.exception("hits are given up")
                self._give_up(FAULT)

    async def _turn(self) -> None:
        """Write the batch whose outcome is unknown, or the next one."""
        if self._batch and self._batch.is_over():
            self._batch = None  # nobody waits for its outcome: whether it is in will not change
        if not (self._batch or self._waiting.is_ready()):
            await self._wait()
        if self._batch or self._waiting.is_ready() or self._waiting.has_aside():
            await self._writer.reach()  # first, so that hits that wait here can be withdrawn
            await self._release()
            self._batch = self._batch or self._next()
        if self._batch:
            await self._write(self._batch)

    async def _wait(self) -> None:
        """Wait until there are orders to write, or locked counters to look at."""
        self._wake.clear()
        look_at = self._waiting.look_at if self._waiting.has_aside() else None
        with suppress(TimeoutError):
            async with asyncio.timeout_at(look_at):
                await self._wake.wait()

    async def _release(self) -> None:
        """Let orders go on whose counters are locked no longer."""
        now = self._loop.time()
        if self._waiting.has_aside() and self._waiting.look_at <= now:
            due = self._waiting.due(now)
            seen = await self._writer.look(due)
            self._waiting.release(due, seen.locked, now)

    async def _write(self, batch: Batch) -> None:
        try:
            totals = await self._writer.write(batch)
        except UnsureError:
            batch.unsure = True
            raise
        except NotWrittenError:
            if not batch.unsure:
                self._put_back(batch)
            raise
        except KeysKnownError as error:
            self._settle(batch, error)
        except LockedError as error:
            self._set_aside(batch, error.seen)
        except RefusedError as error:
            self._single_out(batch, error)
        else:
            self._batch, self._schema_logged = None, False
            if self._waiting.suspects:
                self._waiting.suspects.difference_update(batch.sums)
            await self._answer(batch, totals)

    async def _answer(self, batch: Batch, totals: dict[str, int]) -> None:
        """Answer a batch as soon as the next one is on its way.

        What takes the longest, to send the answers, so goes on while the server writes.
        """
        if len(batch.orders) == 1:
            return batch.answer(totals)
        try:
            await asyncio.sleep(0)  # hits that have come in meanwhile go into the next one
        finally:
            # The packet of the next batch is sent before the event loop turns again.
            self._loop.call_soon(batch.answer, totals)

    def _next(self) -> Batch | None:
        self._number += 1
        orders = self._waiting.take(MOST)
        try:
            batch = Batch(self._number, orders)
        except Exception:
            for order in orders:  # which are nowhere any more
                order.fail(_unavailable(FAULT))
            raise
        return batch if batch.orders else None

    def _give_up(self, reason: str) -> None:
        """Fail the batch; before there is one, all that wait, who would meet the same."""
        batch, self._batch = self._batch, None
        if batch and batch.unsure:
            reason = LOST
        for order in batch.orders if batch else self._waiting:
            order.fail(_unavailable(reason))
        self._waiting.drop_those_that_are_over()

    def _put_back(self, batch: Batch) -> None:
        self._waiting.put_back(batch.orders)
        self._batch = None

    def _settle(self, batch: Batch, error: KeysKnownError) -> None:
        """Answer what was counted before; what remains goes alone, or it might never go."""
        for order in batch.orders:
            order.learn(error.counted)
        self._waiting.try_apart([order for order in batch.orders if not order.is_over()])
        self._batch = None

    def _set_aside(self, batch: Batch, seen: Seen) -> None:
        """Let those wait whose counters somebody else has locked, and nobody else.

        A lock on what is not there yet, such as the gap that a new row needs, is not seen: the
        order that waits for it is found by trying, first those on counters that lack a row.
        """
        now = self._loop.time()
        if seen.locked:
            self._put_back(batch)
            self._waiting.lock(seen.locked, now)
        elif len(batch.orders) > 1:
            self._halve(batch, seen.new)
        else:
            self._waiting.set_aside(batch.orders[0], seen.new, now)
            self._batch = None

    def _single_out(self, batch: Batch, error: RefusedError) -> None:
        """Look for the order that is refused, and fail it alone."""
        if len(batch.orders) > 1:
            self._halve(batch)
            return
        (order,) = batch.orders
        self._batch = None
        if isinstance(error, TooLongError):
            order.fail(RequestEntityTooLarge(LONG))
        elif error.args[0] == OUT_OF_RANGE:
            order.fail(UnprocessableEntity(LARGE))
        else:
            if not batch.sums.keys() <= self._waiting.suspects:
                log.warning("hits are refused, such as on %s: %s", min(batch.sums), error)
            order.fail(ServiceUnavailable(REFUSED))
            self._waiting.suspect(batch.sums)

    def _halve(self, batch: Batch, guess: Container[str] = ()) -> None:
        """Try two parts of the batch apart: without counters of the guess and with, or halves."""
        parts: tuple[list[Order], list[Order]] = [], []
        for order in batch.orders:
            parts[order.touches(guess)].append(order)
        if not all(parts):
            half = len(batch.orders) // 2
            parts = batch.orders[:half], batch.orders[half:]
        self._waiting.try_apart(*parts)
        self._batch = None

    def _expire(self) -> None:
        """Fail the orders whose deadline has passed, and come again for the others."""
        now = self._loop.time()
        for order in self._unanswered():
            if order.deadline <= now:
                order.fail(_unavailable(LOST if order.sent else LATE))
        self._waiting.drop_those_that_are_over()
        self._set_clock(min((order.deadline for order in self._unanswered()), default=math.inf))

    def _set_clock(self, due: float) -> None:
        if self._clock:
            self._clock.cancel()
        self._due, self._clock = due, None
        if due < math.inf:
            # Not for each order of a crowd: all that wait are looked through.
            self._clock = self._loop.call_at(max(due, self._loop.time() + TICK), self._expire)

    def _unanswered(self) -> Iterator[Order]:
        sent = self._batch.orders if self._batch else ()
        return (order for order in chain(sent, self._waiting) if not order.is_over())


def _unavailable(reason: str) -> ServiceUnavailable:
    return ServiceUnavailable(reason, retry_after=RETRY_AFTER)

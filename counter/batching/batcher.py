"""The batcher: hits that arrive while a batch is written go together in the next one."""

import asyncio
import logging
import math
import random
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from itertools import chain

from counter.batching.batch import Batch
from counter.batching.locks import LockState
from counter.batching.pending import Pending
from counter.batching.queue import Queue
from counter.batching.writer import (
    KeysKnownError,
    LimitError,
    LockedError,
    NotWrittenError,
    RefusedError,
    SchemaError,
    TooLongError,
    UnsureError,
    Writer,
)
from counter.hits import (
    MAX_HITS,
    Counted,
    CountLimitError,
    Hit,
    RefusedHitError,
    TooManyHitsError,
    UnavailableError,
)
from db import NOT_MIGRATED

CAPACITY = 10_000  # hits that wait in a lane
TICK = 0.02  # seconds that a request may wait beyond its deadline
PAUSE, LONGEST_PAUSE = 0.02, 1.0  # seconds between attempts, doubled each time

FULL = "Too many hits are waiting for the database. This one was not counted."
ENDING = "The server is shutting down. The hit was not counted."
LATE = "The database did not take the hit in time. It was not counted."
LOST = "The database was lost before it answered. The hit may have been counted."
LONG = "The request is too long for the database. Send fewer hits at a time. None was counted."
FAULT = "The hit was not counted. The log says why."
REFUSED = "The database refuses the hit. It was not counted. The log says why."

log = logging.getLogger(__name__)


class Batcher:
    """Gives each hit a number of its own, once it is durable.

    One task writes one batch after the other. A request ends with its numbers, or with a HitError
    that tells whether it was counted; none waits beyond its deadline.
    """

    def __init__(self, writer: Writer, capacity: int = CAPACITY) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()  # kept: to ask for it is a system call
        self._waiting = Queue(capacity)
        self._batch: Batch | None = None  # being written, or its outcome unknown
        self._number = 0
        self._schema_logged = False
        self._ending = False
        self._wake = asyncio.Event()
        self._timer: asyncio.Handle | None = None
        self._due = math.inf  # when the timer fires: the first deadline of all
        self._task = self._loop.create_task(self._run(), name="batcher")

    async def count(self, hits: Sequence[Hit], within: float) -> list[Counted]:
        """Count from 1 to MAX_HITS hits, all or none; return the number of each, in their order.

        Raises a HitError within `within` seconds, and ValueError where there are more or fewer
        hits, or a counter has a key twice.
        """
        _check(hits)
        request = Pending(hits, self._loop.time() + within, self._loop.create_future())
        if self._ending or not self._waiting.add(request):
            raise UnavailableError(ENDING if self._ending else FULL)
        self._wake.set()
        if request.deadline < self._due:
            self._set_timer(request.deadline)
        return await request.answer

    async def close(self, within: float) -> None:
        """Refuse what is new, and return when all is answered, after so many seconds at most."""
        self._ending = True
        self._wake.set()
        try:
            if any(self._unanswered()):
                await asyncio.wait([self._task], timeout=within)
        finally:
            self._task.cancel()
            for request in self._unanswered():
                request.fail(UnavailableError(LOST if request.sent else ENDING))
            self._set_timer(math.inf)
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
                    log.warning("hits are waiting for the database: %r", error.__cause__)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 (no secret)
                pause = min(2 * pause, LONGEST_PAUSE)
            except SchemaError as error:
                if not self._schema_logged:
                    log.warning("hits were dropped: %s", error)
                self._schema_logged = True
                self._give_up(f"{NOT_MIGRATED} The hit was not counted.")
            except Exception:  # whatever it is, nobody may hang
                log.exception("hits were dropped")
                self._give_up(FAULT)

    async def _turn(self) -> None:
        """Write the batch whose outcome is unknown, or the next one."""
        if self._batch and self._batch.is_done():
            self._batch = None  # nobody waits for its outcome: whether it is in will not change
        if not (self._batch or self._waiting.is_ready()):
            await self._wait()
        if self._batch or self._waiting.is_ready() or self._waiting.has_parked():
            await self._writer.reach()  # first, so that hits that wait here can be withdrawn
            await self._release()
            self._batch = self._batch or self._next()
        if self._batch:
            await self._write(self._batch)

    async def _wait(self) -> None:
        """Wait until there are requests to write, or locked counters to probe."""
        self._wake.clear()
        probe_at = self._waiting.probe_at if self._waiting.has_parked() else None
        with suppress(TimeoutError):
            async with asyncio.timeout_at(probe_at):
                await self._wake.wait()

    async def _release(self) -> None:
        """Let requests go on whose counters are locked no longer."""
        now = self._loop.time()
        if self._waiting.has_parked() and self._waiting.probe_at <= now:
            due = self._waiting.due(now)
            state = await self._writer.probe(due)
            self._waiting.release(due, state.locked, now)

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
            self._park(batch, error.state)
        except RefusedError as error:
            self._isolate_refused(batch, error)
        else:
            self._batch, self._schema_logged = None, False
            if self._waiting.suspects:
                self._waiting.suspects.difference_update(batch.sums)
            await self._answer(batch, totals)

    async def _answer(self, batch: Batch, totals: dict[str, int]) -> None:
        """Answer a batch as soon as the next one is on its way.

        What takes the longest, to send the answers, so goes on while the server writes.
        """
        if len(batch.requests) == 1:
            return batch.answer(totals)
        try:
            await asyncio.sleep(0)  # hits that have come in meanwhile go into the next one
        finally:
            # The packet of the next batch is sent before the event loop turns again.
            self._loop.call_soon(batch.answer, totals)

    def _next(self) -> Batch | None:
        self._number += 1
        requests = self._waiting.take(MAX_HITS)
        try:
            batch = Batch(self._number, requests)
        except Exception:
            for request in requests:  # which are nowhere any more
                request.fail(UnavailableError(FAULT))
            raise
        return batch if batch.requests else None

    def _give_up(self, reason: str) -> None:
        """Fail the batch; before there is one, all that wait, who would meet the same."""
        batch, self._batch = self._batch, None
        if batch and batch.unsure:
            reason = LOST
        for request in batch.requests if batch else self._waiting:
            request.fail(UnavailableError(reason))
        self._waiting.drop_done()

    def _put_back(self, batch: Batch) -> None:
        self._waiting.put_back(batch.requests)
        self._batch = None

    def _settle(self, batch: Batch, error: KeysKnownError) -> None:
        """Answer what was counted before; what remains goes alone, or it might never go."""
        for request in batch.requests:
            request.learn(error.counted)
        self._waiting.isolate([request for request in batch.requests if not request.is_done()])
        self._batch = None

    def _park(self, batch: Batch, state: LockState) -> None:
        """Let those wait whose counters somebody else has locked, and nobody else.

        A lock on what is not there yet, such as the gap that a new row needs, is not found: the
        request that waits for it is found by trying, first those on counters that lack a row.
        """
        now = self._loop.time()
        if state.locked:
            self._put_back(batch)
            self._waiting.lock(state.locked, now)
        elif len(batch.requests) > 1:
            self._split(batch, state.new)
        else:
            self._waiting.park(batch.requests[0], state.new, now)
            self._batch = None

    def _isolate_refused(self, batch: Batch, error: RefusedError) -> None:
        """Look for the request that is refused, and fail it alone."""
        if len(batch.requests) > 1:
            self._split(batch)
            return
        (request,) = batch.requests
        self._batch = None
        if isinstance(error, TooLongError):
            request.fail(TooManyHitsError(LONG))
            return
        if isinstance(error, LimitError):
            request.fail(CountLimitError())
        else:
            if not batch.sums.keys() <= self._waiting.suspects:
                log.warning("the database refuses hits, such as on %s: %s", min(batch.sums), error)
            request.fail(RefusedHitError(REFUSED))
        self._waiting.suspect(batch.sums)

    def _split(self, batch: Batch, guess: Container[str] = ()) -> None:
        """Try two parts of the batch apart: without counters of the guess and with, or halves."""
        parts: tuple[list[Pending], list[Pending]] = [], []
        for request in batch.requests:
            parts[request.touches(guess)].append(request)
        if not all(parts):
            half = len(batch.requests) // 2
            parts = batch.requests[:half], batch.requests[half:]
        self._waiting.isolate(*parts)
        self._batch = None

    def _expire(self) -> None:
        """Fail the requests whose deadline has passed, and come again for the others."""
        now = self._loop.time()
        for request in self._unanswered():
            if request.deadline <= now:
                request.fail(UnavailableError(LOST if request.sent else LATE))
        self._waiting.drop_done()
        self._set_timer(min((request.deadline for request in self._unanswered()), default=math.inf))

    def _set_timer(self, due: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._due, self._timer = due, None
        if due < math.inf:
            # Not for each request of a crowd: all that wait are looked through.
            self._timer = self._loop.call_at(max(due, self._loop.time() + TICK), self._expire)

    def _unanswered(self) -> Iterator[Pending]:
        sent = self._batch.requests if self._batch else ()
        return (request for request in chain(sent, self._waiting) if not request.is_done())


def _check(hits: Sequence[Hit]) -> None:
    if len(hits) != 1:
        keyed = [(hit.name, hit.key) for hit in hits if hit.key]
        if not 1 <= len(hits) <= MAX_HITS or len(set(keyed)) < len(keyed):
            raise ValueError(f"not from 1 to {MAX_HITS} hits, each key once on its counter")

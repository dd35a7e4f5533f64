"""The batcher: hits that arrive while a batch is being written go into the next one together."""

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
    InDoubtError,
    KeysKnownError,
    LimitError,
    LockedError,
    NotWrittenError,
    PacketTooLargeError,
    RefusedError,
    SchemaError,
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

CAPACITY = 10_000  # hits that may wait in a lane
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
    """Counts hits, and gives each its own number once it is committed.

    One task writes one batch after another. A request ends, by its deadline, with its numbers or
    with a HitError that says whether it was counted.
    """

    def __init__(self, writer: Writer, capacity: int = CAPACITY) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()  # kept: asking for it is a system call
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
        """Count from 1 to MAX_HITS hits, all or none; return their numbers in the same order.

        Raises HitError within `within` seconds; ValueError if there are more or fewer hits, or
        a counter has a key twice.
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
        """Refuse new hits; return when all others are answered, or after `within` seconds."""
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
            except (NotWrittenError, InDoubtError) as error:
                if pause == 2 * PAUSE:  # one line per outage, and none for a conflict
                    log.warning("hits are waiting for the database: %r", error.__cause__)
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 (no secret)
                pause = min(2 * pause, LONGEST_PAUSE)
            except SchemaError as error:
                if not self._schema_logged:
                    log.warning("hits were dropped: %s", error)
                self._schema_logged = True
                self._give_up(f"{NOT_MIGRATED} The hit was not counted.")
            except Exception:  # whatever it is, no caller may hang
                log.exception("hits were dropped")
                self._give_up(FAULT)

    async def _turn(self) -> None:
        """Write the batch whose outcome is unknown, or else the next one."""
        if self._batch and self._batch.is_done():
            self._batch = None  # nobody waits for its outcome, so it is not written again
        if not (self._batch or self._waiting.is_ready()):
            await self._wait()
        if self._batch or self._waiting.is_ready() or self._waiting.has_parked():
            await self._writer.reach()  # first: hits that wait for this can still be withdrawn
            await self._release()
            self._batch = self._batch or self._next()
        if self._batch:
            await self._write(self._batch)

    async def _wait(self) -> None:
        """Wait for requests to write or locked counters to probe."""
        self._wake.clear()
        probe_at = self._waiting.probe_at if self._waiting.has_parked() else None
        with suppress(TimeoutError):
            async with asyncio.timeout_at(probe_at):
                await self._wake.wait()

    async def _release(self) -> None:
        """Release requests whose counters are no longer locked."""
        now = self._loop.time()
        if self._waiting.has_parked() and self._waiting.probe_at <= now:
            due = self._waiting.due(now)
            state = await self._writer.probe(due)
            self._waiting.release(due, state.locked, now)

    async def _write(self, batch: Batch) -> None:
        try:
            totals = await self._writer.write(batch)
        except InDoubtError:
            batch.in_doubt = True
            raise
        except NotWrittenError:
            if not batch.in_doubt:
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
        """Answer a batch once the next one has been sent.

        Sending the answers takes longest, and so overlaps with the server's work.
        """
        if len(batch.requests) == 1:
            return batch.answer(totals)
        try:
            await asyncio.sleep(0)  # lets hits that have just arrived join the next batch
        finally:
            # The packet of the next batch is sent before the event loop turns again.
            self._loop.call_soon(batch.answer, totals)

    def _next(self) -> Batch | None:
        self._number += 1
        requests = self._waiting.take(MAX_HITS)
        try:
            batch = Batch(self._number, requests)
        except Exception:
            for request in requests:  # they are in no queue any more
                request.fail(UnavailableError(FAULT))
            raise
        return batch if batch.requests else None

    def _give_up(self, reason: str) -> None:
        """Fail the batch or, if there is none, all that wait: they would fail alike."""
        batch, self._batch = self._batch, None
        if batch and batch.in_doubt:
            reason = LOST
        for request in batch.requests if batch else self._waiting:
            request.fail(UnavailableError(reason))
        self._waiting.drop_done()

    def _put_back(self, batch: Batch) -> None:
        self._waiting.put_back(batch.requests)
        self._batch = None

    def _settle(self, batch: Batch, error: KeysKnownError) -> None:
        """Answer what was counted before; isolate the rest, which might else starve."""
        for request in batch.requests:
            request.learn(error.counted)
        self._waiting.isolate([request for request in batch.requests if not request.is_done()])
        self._batch = None

    def _park(self, batch: Batch, state: LockState) -> None:
        """Park only the requests whose counters somebody else has locked.

        A probe finds no lock on a row that is not there yet, such as a gap lock. The request that
        waits for one is found by trial, beginning with those on counters that lack a row.
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
        """Search for the refused request, and fail it alone."""
        if len(batch.requests) > 1:
            self._split(batch)
            return
        (request,) = batch.requests
        self._batch = None
        if isinstance(error, PacketTooLargeError):
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
        """Split the batch in two: by whether requests touch `guess`, or else in halves."""
        parts: tuple[list[Pending], list[Pending]] = [], []
        for request in batch.requests:
            parts[request.touches(guess)].append(request)
        if not all(parts):
            half = len(batch.requests) // 2
            parts = batch.requests[:half], batch.requests[half:]
        self._waiting.isolate(*parts)
        self._batch = None

    def _expire(self) -> None:
        """Fail the requests whose deadline has passed, and set the timer for the next deadline."""
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
            # Not once per request: _expire goes through all that wait.
            self._timer = self._loop.call_at(max(due, self._loop.time() + TICK), self._expire)

    def _unanswered(self) -> Iterator[Pending]:
        sent = self._batch.requests if self._batch else ()
        return (request for request in chain(sent, self._waiting) if not request.is_done())


def _check(hits: Sequence[Hit]) -> None:
    if len(hits) != 1:
        keyed = [(hit.name, hit.key) for hit in hits if hit.key]
        if not 1 <= len(hits) <= MAX_HITS or len(set(keyed)) < len(keyed):
            raise ValueError(f"not from 1 to {MAX_HITS} hits, each key once on its counter")

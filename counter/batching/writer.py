"""One attempt to write a batch, on the writer's own connection, and its outcome."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pymysql import MySQLError
from pymysql.constants.ER import DUP_ENTRY, LOCK_WAIT_TIMEOUT

import db_errors
from counter import models
from counter.batching import sql
from counter.batching.batch import Batch
from counter.batching.locks import PROBE_INTERVAL, LockState
from counter.hits import MAX_HITS, CounterKey, StoredAnswer
from db_errors import Kind

# Receipts are useless once their batch's answer has come, and are deleted this many at a time.
# One that was in doubt stays for a day: its first packet might still be on its way.
RECEIPTS = 256
TIMED_OUT = {LOCK_WAIT_TIMEOUT, 1969, 3024}  # the session's limits for locks and for a statement
HEADER = 16  # bytes of a packet beside its statements, at most
PROBE_BYTES = 600  # bytes of a packet that probes one counter, at most; each further one takes half

Connect = Callable[[], Awaitable[Any]]  # returns an aiomysql connection


class NotWrittenError(Exception):
    """This attempt was not committed; another may succeed."""


class InDoubtError(Exception):
    """The answer was lost: the batch may be committed, or may still be."""


class RefusedError(Exception):
    """Not committed: the server refuses some of the batch."""


class PacketTooLargeError(RefusedError):
    """Not committed: the statements are longer than the server accepts."""


class LimitError(RefusedError):
    """Not committed: a count would exceed its limit."""


class LockedError(Exception):
    """Not committed: the batch waited too long for a lock (see LockState)."""

    def __init__(self, state: LockState) -> None:
        super().__init__(f"locked: {', '.join(sorted(state.locked)) or 'unknown'}")
        self.state = state


class KeysKnownError(Exception):
    """Not committed, and never will be under its number: keys of it were counted before."""

    def __init__(self, counted: Mapping[CounterKey, StoredAnswer]) -> None:
        super().__init__(f"{len(counted)} keys are known")
        self.counted = counted


class SchemaError(Exception):
    """This attempt was not committed: the schema does not match this program."""


class Writer:
    """Writes batches of hits; when `write` returns, the batch is committed.

    After InDoubtError the same batch may be written again, marked `in_doubt`: the receipt ensures
    that it is counted once. An attempt ends after `limit` seconds.
    """

    def __init__(self, connect: Connect, limit: float) -> None:
        self._connect, self._limit = connect, limit
        self._id = secrets.randbits(63)
        self._receipts_from = 1  # no batch from this one on was in doubt
        self._connection: Any = None
        self._one_by_one = False  # each statement in a packet of its own
        self._longest = 0  # bytes of a packet
        self._most_probed = 1  # counters that one packet may probe

    async def reach(self) -> None:
        """Connect unless there is a live connection.

        Raises NotWrittenError and SchemaError.
        """
        if self._connection:
            # Has the server hung up? aiomysql's own pool checks in the same way.
            reader = self._connection._reader  # noqa: SLF001
            if not (reader.eof_received or reader.exception()):
                return
        self.close()
        async with self._attempted():
            self._connection = await self._connect()
            results: list[str] = []
            await self._run([*sql.SESSION, sql.LARGEST_PACKET, sql.GALERA], results)
            self._longest, self._one_by_one = int(results[-2]), bool(results[-1])
            self._most_probed = min(MAX_HITS, max(1, self._longest // PROBE_BYTES))

    async def probe(self, names: Collection[str]) -> LockState:
        """Return which of these counters are locked now.

        Raises NotWrittenError and SchemaError.
        """
        async with self._attempted():
            return await self._probe(names)

    async def write(self, batch: Batch) -> dict[str, int]:
        """Add the sums of the batch; return each counter's count after them.

        Raises InDoubtError, NotWrittenError, KeysKnownError, LockedError, RefusedError and
        SchemaError.
        """
        needless = range(self._receipts_from, batch.number)
        if len(needless) < RECEIPTS:
            needless = range(0)
        statements = sql.statements(self._id, batch, needless)
        answers: list[str] = []
        try:
            async with asyncio.timeout(self._limit):
                counts = await self._attempt(batch, statements, answers)
                totals = sql.totals(batch.sums, counts)
        except (KeysKnownError, LockedError, RefusedError):
            raise
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            meaning = _meaning(error, at_commit=len(answers) == len(statements) - 1)
            if meaning is InDoubtError:
                self._receipts_from = batch.number + 1
            raise meaning(error) from error
        if needless:
            self._receipts_from = batch.number
        return totals

    def close(self) -> None:
        """Close the connection; the server rolls back what is not committed."""
        if self._connection:
            self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def _attempted(self) -> AsyncIterator[None]:
        """Limit the block's time; if it fails, close the connection."""
        try:
            async with asyncio.timeout(self._limit):
                yield
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            raise _meaning_unwritten(error)(error) from error

    async def _attempt(self, batch: Batch, statements: list[str], answers: list[str]) -> str:
        if batch.in_doubt and (counts := (await self._ask(batch))[0]):
            return counts
        if max(map(len, self._packets(statements))) + HEADER > self._longest:
            return await self._fence(batch, PacketTooLargeError())
        if batch.in_doubt:
            # A lock that held up the previous attempt would hold up this one as well.
            state = await self._probe_twice(batch.sums)
            if state.locked:
                return await self._fence(batch, LockedError(state))
        try:
            await self._run(statements, answers)
        except MySQLError as error:
            return await self._examine(batch, error, statements[len(answers)])
        # Only the counts are an answer; under a trigger, there may be none.
        return next(filter(None, answers), "") or (await self._ask(batch))[0]

    async def _examine(self, batch: Batch, error: MySQLError, statement: str) -> str:
        """Raise the error that a statement's error means for the batch.

        Returns the counts if a packet of it that was still on its way was committed.
        """
        number = db_errors.number(error)
        if number == DUP_ENTRY and statement.startswith(sql.KEEP_KEYS):
            counts, known = await self._ask(batch, sql.stored_answers(batch.keys))
            # None is known if a purge has just removed them.
            return counts or await self._fence(batch, KeysKnownError(sql.parse_stored(known)))
        if statement == sql.COMMIT or (
            number == DUP_ENTRY and statement.startswith(sql.KEEP_RECEIPT)
        ):
            raise error  # it may be in
        if number in TIMED_OUT:
            state = await self._probe_twice(batch.sums)
            if state.locked or number == LOCK_WAIT_TIMEOUT:
                return await self._fence(batch, LockedError(state))
        if number >= 1000 and db_errors.kind(error) is Kind.FAULT:
            at_limit = models.LIMIT in db_errors.reason(error)
            meaning = LimitError if at_limit else RefusedError
            return await self._fence(batch, meaning(*error.args))
        raise error

    async def _ask(self, batch: Batch, keys: str = "SELECT ''") -> tuple[str, str]:
        """Return a batch's counts, if it is committed, and the stored answers of its keys."""
        results: list[str] = []
        # COMMIT ends the transaction that the SELECT began.
        await self._run(["ROLLBACK", sql.receipt(self._id, batch.number), keys, "COMMIT"], results)
        _, counts, known, _ = results
        return counts, known

    async def _fence(self, batch: Batch, error: Exception) -> str:
        """Give up the batch's number, so that it cannot be committed any more, and raise `error`.

        Returns the counts if a packet of it that was still on its way was committed.
        """
        results: list[str] = []
        fence = sql.fence(self._id, batch.number) if batch.in_doubt else "DO 0"
        await self._run(["ROLLBACK", fence, sql.receipt(self._id, batch.number), "COMMIT"], results)
        if counts := results[2]:
            return counts
        raise error

    async def _probe_twice(self, names: Collection[str]) -> LockState:
        """Find counters that somebody else keeps locked: a writer commits between the probes."""
        state = await self._probe(names)
        if state.locked:
            await asyncio.sleep(PROBE_INTERVAL)
            state.locked = state.unchanged((await self._probe(state.locked)).locked)
        return state

    async def _probe(self, names: Collection[str]) -> LockState:
        state, left = LockState({}, set()), sorted(names)
        while left:
            some, left = left[: self._most_probed], left[self._most_probed :]
            results: list[str] = []
            await self._run(["ROLLBACK", *sql.probe(some), "ROLLBACK"], results)
            state.add(sql.parse_locks(some, *results[1:3]))
        return state

    def _packets(self, statements: list[str]) -> list[str]:
        return statements if self._one_by_one else [";".join(statements)]

    async def _run(self, statements: list[str], answers: list[str]) -> None:
        """Run statements, together or one by one; append each one's answer, which may be empty."""
        connection = self._connection
        for packet in self._packets(statements):
            await connection.query(packet)
            while True:
                # A cursor would query the warnings between the results, out of order.
                result = connection._result  # noqa: SLF001
                answers.append(result.rows[0][0] if result.rows else str(result.insert_id or ""))
                if not result.has_next:
                    break
                await connection.next_result()


def _meaning(error: Exception, *, at_commit: bool) -> type[Exception]:
    """Return what an error means for the batch that caused it."""
    number = db_errors.number(error)
    # 2000 to 2999 are the driver's: it lost the connection. Below 1000 there is no server error.
    if at_commit or number == DUP_ENTRY or number < 1000 or 2000 <= number < 3000:
        return InDoubtError
    return _meaning_unwritten(error)


def _meaning_unwritten(error: Exception) -> type[Exception]:
    """Return what an error means if no batch is in doubt."""
    return SchemaError if db_errors.kind(error) is Kind.SCHEMA else NotWrittenError

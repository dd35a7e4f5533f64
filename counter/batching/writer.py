"""One attempt to write a batch, on a connection of the writer's own, and what came of it."""

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

# Receipts of batches whose answer came serve nobody, and go so many at a time. One that was
# in doubt stays for a day: its first packet might still be on its way.
RECEIPTS = 256
TOO_LONG = {LOCK_WAIT_TIMEOUT, 1969, 3024}  # the session's limits: of locks, of a statement
HEADER = 16  # bytes of a packet beside its statements, amply
PROBE_BYTES = 600  # bytes of a packet that probes one counter, amply; each other takes half

Connect = Callable[[], Awaitable[Any]]  # of an aiomysql connection


class NotWrittenError(Exception):
    """The batch is not in the database, and another attempt may be luckier."""


class UnsureError(Exception):
    """The answer was lost: the batch may be in, or come in yet."""


class RefusedError(Exception):
    """The batch is not in, as the server refuses some of it."""


class TooLongError(RefusedError):
    """The batch is not in, as its statements are longer than the server takes."""


class LimitError(RefusedError):
    """The batch is not in, as a count would exceed its limit."""


class LockedError(Exception):
    """The batch is not in, as it waited too long for a lock: see LockState."""

    def __init__(self, state: LockState) -> None:
        super().__init__(f"locked: {', '.join(sorted(state.locked)) or 'unknown'}")
        self.state = state


class KeysKnownError(Exception):
    """The batch is not in, and will not be under its number: keys of it were counted before."""

    def __init__(self, counted: Mapping[CounterKey, StoredAnswer]) -> None:
        super().__init__(f"{len(counted)} keys are known")
        self.counted = counted


class SchemaError(Exception):
    """The batch is not in, and will not be: the schema is not this program's."""


class Writer:
    """Writes batches of hits; what `write` returns is committed.

    After UnsureError the same batch may be written again, as it then is `unsure`: the receipt
    sees to it that it is counted once. An attempt ends after `limit` seconds.
    """

    def __init__(self, connect: Connect, limit: float) -> None:
        self._connect, self._limit = connect, limit
        self._id = secrets.randbits(63)
        self._receipts_from = 1  # since this batch, none was in doubt
        self._connection: Any = None
        self._one_by_one = False  # each statement in a packet of its own
        self._longest = 0  # bytes of a packet
        self._most_probed = 1  # counters that one packet may probe

    async def reach(self) -> None:
        """Connect where there is no living connection.

        Raises NotWrittenError and SchemaError.
        """
        if self._connection:
            # A server that hung up has said so; this is how aiomysql's own pool asks.
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

        Raises UnsureError, NotWrittenError, KeysKnownError, LockedError, RefusedError and
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
            if meaning is UnsureError:
                self._receipts_from = batch.number + 1
            raise meaning(error) from error
        if needless:
            self._receipts_from = batch.number
        return totals

    def close(self) -> None:
        """Close the connection; the server rolls back what it has not committed."""
        if self._connection:
            self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def _attempted(self) -> AsyncIterator[None]:
        """Give the block its time; where it fails, close the connection."""
        try:
            async with asyncio.timeout(self._limit):
                yield
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            raise _meaning_unwritten(error)(error) from error

    async def _attempt(self, batch: Batch, statements: list[str], answers: list[str]) -> str:
        if batch.unsure and (counts := (await self._ask(batch))[0]):
            return counts
        if max(map(len, self._packets(statements))) + HEADER > self._longest:
            return await self._fence(batch, TooLongError())
        if batch.unsure:
            # A lock that the attempt before has waited for would hold up this one as well.
            state = await self._probe_twice(batch.sums)
            if state.locked:
                return await self._fence(batch, LockedError(state))
        try:
            await self._run(statements, answers)
        except MySQLError as error:
            return await self._examine(batch, error, statements[len(answers)])
        # The counts: the other statements answer nothing, and under a trigger none does.
        return next(filter(None, answers), "") or (await self._ask(batch))[0]

    async def _examine(self, batch: Batch, error: MySQLError, statement: str) -> str:
        """Raise what an error of a statement means for the batch.

        Returns the counts where a packet of it, which was on its way, has come in meanwhile.
        """
        number = db_errors.number(error)
        if number == DUP_ENTRY and statement.startswith(sql.KEEP_KEYS):
            counts, known = await self._ask(batch, sql.stored_answers(batch.keys))
            # None is known where a purge has just removed what was there.
            return counts or await self._fence(batch, KeysKnownError(sql.parse_stored(known)))
        if statement == sql.COMMIT or (
            number == DUP_ENTRY and statement.startswith(sql.KEEP_RECEIPT)
        ):
            raise error  # it may be in
        if number in TOO_LONG:
            state = await self._probe_twice(batch.sums)
            if state.locked or number == LOCK_WAIT_TIMEOUT:
                return await self._fence(batch, LockedError(state))
        if number >= 1000 and db_errors.kind(error) is Kind.FAULT:
            at_limit = models.LIMIT in db_errors.reason(error)
            meaning = LimitError if at_limit else RefusedError
            return await self._fence(batch, meaning(*error.args))
        raise error

    async def _ask(self, batch: Batch, keys: str = "SELECT ''") -> tuple[str, str]:
        """Return the counts of a batch, if it is committed, and what its keys were answered."""
        results: list[str] = []
        # With COMMIT, lest the transaction that the question began stays open.
        await self._run(["ROLLBACK", sql.receipt(self._id, batch.number), keys, "COMMIT"], results)
        _, counts, known, _ = results
        return counts, known

    async def _fence(self, batch: Batch, error: Exception) -> str:
        """Give the batch's number up and raise `error`, as it has not come in and now cannot.

        Returns the counts where a packet of it, which was on its way, has come in meanwhile.
        """
        results: list[str] = []
        fence = sql.fence(self._id, batch.number) if batch.unsure else "DO 0"
        await self._run(["ROLLBACK", fence, sql.receipt(self._id, batch.number), "COMMIT"], results)
        if counts := results[2]:
            return counts
        raise error

    async def _probe_twice(self, names: Collection[str]) -> LockState:
        """Find counters that somebody else keeps locked: others are committed meanwhile."""
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
        """Run statements, together or one by one; append the answer of each, a text or nothing."""
        connection = self._connection
        for packet in self._packets(statements):
            await connection.query(packet)
            while True:
                # A cursor would ask for warnings between the results, out of turn.
                result = connection._result  # noqa: SLF001
                answers.append(result.rows[0][0] if result.rows else str(result.insert_id or ""))
                if not result.has_next:
                    break
                await connection.next_result()


def _meaning(error: Exception, *, at_commit: bool) -> type[Exception]:
    """Say what an error means for the batch that it came of."""
    number = db_errors.number(error)
    # From 2000 to 2999 the driver counts, which lost the connection; below 1000 nobody does.
    if at_commit or number == DUP_ENTRY or number < 1000 or 2000 <= number < 3000:
        return UnsureError
    return _meaning_unwritten(error)


def _meaning_unwritten(error: Exception) -> type[Exception]:
    """Say what an error means where no batch is in doubt."""
    return SchemaError if db_errors.kind(error) is Kind.SCHEMA else NotWrittenError

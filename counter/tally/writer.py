"""One attempt to write a batch, on a connection of the writer's own, and what came of it."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pymysql import MySQLError
from pymysql.constants.ER import DUP_ENTRY

from counter.tally import packet as sql
from counter.tally.batch import Batch
from counter.tally.hits import Kept, Keyed

# Receipts of batches whose answer came serve nobody, and go so many at a time. One that was
# in doubt stays for a day: its first packet might still be on its way.
RECEIPTS = 256
OUT_OF_RANGE = 1690
# Of a table, a column, the syntax.
NOT_OURS = {1146, 1054, 1064}

Connect = Callable[[], Awaitable[Any]]  # of an aiomysql connection


class NotWrittenError(Exception):
    """The batch is not in the database, and another attempt may be luckier."""


class UnsureError(Exception):
    """The answer was lost: the batch may be in, or come in yet."""


class TooLargeError(Exception):
    """The batch is not in, as it would lift a count above 2**64 - 1."""


class KeysKnownError(Exception):
    """The batch is not in, and will not be under its number: keys of it were counted before."""

    def __init__(self, counted: Mapping[Keyed, Kept]) -> None:
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
        self._apart = False  # each statement in a packet of its own

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
        try:
            async with asyncio.timeout(self._limit):
                self._connection = await self._connect()
                said: list[str] = []
                await self._run([*sql.SESSION, sql.GALERA], said)
                self._apart = bool(said[-1])
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            raise (SchemaError if _number(error) in NOT_OURS else NotWrittenError)(error) from error

    async def write(self, batch: Batch) -> dict[str, int]:
        """Add the sums of the batch; return each counter's count after them.

        Raises UnsureError, NotWrittenError, KeysKnownError, TooLargeError and SchemaError.
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
        except (KeysKnownError, TooLargeError):
            raise
        except BaseException as error:
            self.close()
            if not isinstance(error, Exception):
                raise
            at_commit = len(answers) == len(statements) - 1
            meaning = _meaning(_number(error), at_commit=at_commit)
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

    async def _attempt(self, batch: Batch, statements: list[str], answers: list[str]) -> str:
        if batch.unsure and (counts := (await self._ask(batch))[0]):
            return counts
        try:
            await self._run(statements, answers)
        except MySQLError as error:
            if _number(error) == OUT_OF_RANGE:
                return await self._fence(batch, TooLargeError(error))
            if not _is_known_key(error, statements[len(answers)]):
                raise
            counts, known = await self._ask(batch, sql.answers(batch.keys))
            # None is known where a purge has just removed what was there.
            return counts or await self._fence(batch, KeysKnownError(sql.kept(known)))
        return next(filter(None, answers))  # the counts: the other statements answer nothing

    async def _ask(self, batch: Batch, keys: str = "SELECT ''") -> tuple[str, str]:
        """Return the counts of a batch, if it is committed, and what its keys were answered."""
        said: list[str] = []
        # With COMMIT, lest the transaction that the question began stays open.
        await self._run(["ROLLBACK", sql.receipt(self._id, batch.number), keys, "COMMIT"], said)
        _, counts, known, _ = said
        return counts, known

    async def _fence(self, batch: Batch, error: Exception) -> str:
        """Give the batch's number up and raise `error`, as it has not come in and now cannot.

        Returns the counts where a packet of it, which was on its way, has come in meanwhile.
        """
        said: list[str] = []
        fence = sql.fence(self._id, batch.number) if batch.unsure else "DO 0"
        await self._run(["ROLLBACK", fence, sql.receipt(self._id, batch.number), "COMMIT"], said)
        if counts := said[2]:
            return counts
        raise error

    async def _run(self, statements: list[str], answers: list[str]) -> None:
        """Run statements in one packet or `apart`; append what each answers: a text, or nothing."""
        connection = self._connection
        for packet in statements if self._apart else [";".join(statements)]:
            await connection.query(packet)
            while True:
                # A cursor would ask for warnings between the results, out of turn.
                result = connection._result  # noqa: SLF001
                answers.append(result.rows[0][0] if result.rows else str(result.insert_id or ""))
                if not result.has_next:
                    break
                await connection.next_result()


def _meaning(number: int, *, at_commit: bool) -> type[Exception]:
    """Say what an error of that number means for the batch."""
    # From 2000 to 2999 the driver counts, which lost the connection; below 1000 nobody does.
    if at_commit or number == DUP_ENTRY or number < 1000 or 2000 <= number < 3000:
        return UnsureError
    return SchemaError if number in NOT_OURS else NotWrittenError


def _is_known_key(error: Exception, statement: str) -> bool:
    """Tell whether the statement failed as a key had been kept before."""
    return _number(error) == DUP_ENTRY and statement.startswith(sql.KEEP_KEYS)


def _number(error: Exception) -> int:
    """Return MySQL's number of an error, or 0."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0

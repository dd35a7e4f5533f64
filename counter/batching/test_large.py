"""The batcher at the largest count that 64 bits hold."""

import asyncio

from sqlalchemy import Connection
from werkzeug.exceptions import UnprocessableEntity

from counter.batching.sql import ALL
from counter.testing import BATCH, Query, count_of, running_batcher
from tests.support.proxy import Proxy
from throwaway_mysql import Database

WITHIN = 20.0  # seconds; what is to be quick says less
MAX_BY = 2**64 - 1


def start(connection: Connection, name: str, count: int) -> None:
    """Make a counter that starts so high."""
    values = f"({ALL}, '{name}', {count}, {count}, UTC_TIMESTAMP(), UTC_TIMESTAMP())"
    connection.exec_driver_sql(f"INSERT INTO counter VALUES {values}")


async def test_a_count_that_would_be_too_large_fails_alone(
    create_db: Database, name: str, query: Query, other_connection: Connection
) -> None:
    start(other_connection, f"{name}.full", MAX_BY - 3)
    async with running_batcher(create_db) as batcher:
        answers = await asyncio.gather(
            *(batcher.hit(name, 1, WITHIN) for _ in range(20)),
            batcher.hit(f"{name}.full", 5, WITHIN),
            *(batcher.hit(name, 1, WITHIN) for _ in range(20)),
            batcher.hit(f"{name}.full", 3, WITHIN),
            return_exceptions=True,
        )
    assert answers[:20] + answers[21:41] == list(range(1, 41))
    assert isinstance(answers[20], UnprocessableEntity)
    assert answers[41] == MAX_BY
    assert query(count_of(name)) == 40
    assert query(count_of(f"{name}.full")) == MAX_BY


async def test_a_count_that_was_lost_on_its_way_is_not_called_too_large(
    create_db: Database, name: str, query: Query, other_connection: Connection
) -> None:
    """The first packet comes in between the question for its receipt and the second."""
    start(other_connection, name, MAX_BY - 3)
    held, late, asked = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server and BATCH in packet and not held.is_set():
            held.set()
            await late.wait()
        elif to_server and BATCH in packet:
            late.set()
            await asked.wait()
        elif not to_server and late.is_set():
            asked.set()  # what the first packet was answered

    proxy = Proxy(create_db["DB_HOST"], create_db["DB_PORT"])
    async with proxy.open(), running_batcher(create_db, limit=1, **proxy.address) as batcher:
        proxy.watch = watch
        answers = await asyncio.gather(*(batcher.hit(name, by, WITHIN) for by in (1, 2)))
        assert answers == [MAX_BY - 2, MAX_BY]
    assert query(count_of(name)) == MAX_BY


async def test_many_that_are_too_large_hold_up_nobody(
    create_db: Database, name: str, query: Query, other_connection: Connection
) -> None:
    start(other_connection, f"{name}.full", MAX_BY)
    async with running_batcher(create_db) as batcher:
        full = [batcher.hit(f"{name}.full", 1, WITHIN) for _ in range(10)]
        answers = await asyncio.gather(
            *(
                hit
                for hit in full
                for hit in (hit, *(batcher.hit(name, 1, WITHIN) for _ in range(9)))
            ),
            return_exceptions=True,
        )
    assert sum(isinstance(answer, UnprocessableEntity) for answer in answers) == 10
    assert sorted(answer for answer in answers if isinstance(answer, int)) == list(range(1, 91))
    assert query(count_of(name)) == 90

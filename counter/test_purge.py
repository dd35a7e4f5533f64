"""The purge removes what is no longer needed, and nothing else."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from counter.hits import Counted, Hit
from counter.purge import purge
from counter.testing import COMMITTED, PatientBatcher, Query, count_of, nth_answer, running_batcher
from db import url
from tests.support.proxy import CutError, Proxy
from throwaway_mysql import Database

OLD, YOUNG = "UTC_TIMESTAMP() - INTERVAL 25 HOUR", "UTC_TIMESTAMP() - INTERVAL 23 HOUR"


@pytest.fixture
async def engine(create_db: Database) -> AsyncIterator[AsyncEngine]:
    """Return an engine on the database, like the app's."""
    engine = create_async_engine(url(create_db), poolclass=NullPool)
    yield engine
    await engine.dispose()


async def purge_twice(engine: AsyncEngine) -> None:
    """Purge as the app does, which checks the clock first."""
    await purge(engine, await purge(engine, None))


def keep(connection: Connection, name: str, made: str, number: int) -> None:
    """Store this many keys and receipts of that time."""
    keys = ",".join(f"('{name}', 'key-{n}', 1, {n}, {made})" for n in range(number))
    connection.exec_driver_sql(f"INSERT INTO idempotency_key VALUES {keys}")
    receipts = ",".join(f"({abs(hash(name))}, {n}, '1', {made})" for n in range(number))
    connection.exec_driver_sql(f"INSERT INTO receipt VALUES {receipts}")


async def test_what_is_a_day_old_goes_in_steps_and_the_rest_stays(
    engine: AsyncEngine,
    other_connection: Connection,
    name: str,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.purge.STEP", 20)
    keep(other_connection, f"{name}.old", OLD, 50)
    keep(other_connection, f"{name}.young", YOUNG, 50)
    await purge_twice(engine)
    for table in ("idempotency_key", "receipt"):
        assert query(f"SELECT COUNT(*) FROM {table} WHERE made < {YOUNG} - INTERVAL 1 HOUR") == 0
        assert query(f"SELECT COUNT(*) FROM {table} WHERE made < UTC_TIMESTAMP()") >= 50


async def test_a_purge_waits_for_no_hit_and_no_hit_for_it(
    batcher: PatientBatcher,
    engine: AsyncEngine,
    other_connection: Connection,
    name: str,
    query: Query,
) -> None:
    keep(other_connection, f"{name}.old", OLD, 10)
    other_connection.exec_driver_sql("BEGIN")  # like a running batch
    keep(other_connection, f"{name}.now", "UTC_TIMESTAMP()", 10)
    await purge_twice(engine)
    other_connection.exec_driver_sql("COMMIT")
    other_connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
    other_connection.exec_driver_sql("BEGIN")  # like a running purge
    its = f"name = '{name}.now' AND value = 'key-0'"
    other_connection.exec_driver_sql(f"DELETE FROM idempotency_key WHERE {its}")
    its = f"writer = {abs(hash(f'{name}.now'))} AND number = 0"
    other_connection.exec_driver_sql(f"DELETE FROM receipt WHERE {its}")
    assert await batcher.count([Hit(name, 1, "a-key")], 60) == [Counted(1, replayed=False)]
    other_connection.exec_driver_sql("COMMIT")
    assert query(count_of(name)) == 1
    assert query(f"SELECT COUNT(*) FROM idempotency_key WHERE name = '{name}.old'") == 0


async def test_a_key_that_is_new_again_stays(
    engine: AsyncEngine, other_connection: Connection, name: str, query: Query
) -> None:
    """While a purge waits for another, whose deletion it cannot see, the key is used again."""
    waits = (
        "SELECT COUNT(*) FROM information_schema.innodb_trx"
        " WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE 'DELETE FROM idempotency_key%%'"
    )
    keep(other_connection, name, OLD, 1)
    other_connection.exec_driver_sql("BEGIN")
    other_connection.exec_driver_sql(f"DELETE FROM idempotency_key WHERE name = '{name}'")
    purging = asyncio.create_task(purge_twice(engine))
    while not query(waits):  # noqa: ASYNC110 (only the server knows)
        await asyncio.sleep(0.15)  # the server caches its answer for 0.1 s
    other_connection.exec_driver_sql(
        f"INSERT INTO idempotency_key VALUES ('{name}', 'key-0', 1, 1, UTC_TIMESTAMP())"
    )
    other_connection.exec_driver_sql("COMMIT")
    await purging
    assert query(f"SELECT COUNT(*) FROM idempotency_key WHERE name = '{name}'") == 1


async def test_a_clock_that_was_set_right_makes_no_batch_in_doubt_count_twice(
    create_db: Database,
    proxy: Proxy,
    engine: AsyncEngine,
    other_connection: Connection,
    name: str,
    query: Query,
) -> None:
    """While a batch's COMMIT is unanswered, the clock moves from two days ago to now."""
    at_commit = nth_answer(COMMITTED)
    ago = create_async_engine(
        url(create_db),
        poolclass=NullPool,
        connect_args={"init_command": "SET timestamp = UNIX_TIMESTAMP() - 172800"},
    )
    before = await purge(ago, await purge(ago, None))

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        if at_commit(packet, to_server):
            proxy.watch = None
            other_connection.exec_driver_sql("UPDATE receipt SET made = made - INTERVAL 2 DAY")
            await purge(engine, before)
            raise CutError

    async with running_batcher(create_db, **proxy.address) as batcher:
        proxy.watch = watch
        assert await batcher.hit(name, within=60) == 1
        assert proxy.watch is None
    assert query(count_of(name)) == 1
    await ago.dispose()

"""The batcher when the server holds up or refuses one request among others."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection

from counter.batching.sql import ADD, ALL, HOUR, NOW
from counter.hits import MAX_HITS, Hit, RefusedHitError, TooManyHitsError, UnavailableError
from counter.testing import PatientBatcher, Query, count_of, running_batcher
from tests.support.serving import free_port
from throwaway_mysql import Database

ROUNDS = 40

LOCKS = {
    "its count": "SELECT count FROM counter WHERE hour = {ALL} AND name = '{name}' FOR UPDATE",
    "its hour": "SELECT count FROM counter WHERE hour = {HOUR} AND name = '{name}' FOR UPDATE",
    "both, deleted": "DELETE FROM counter WHERE name = '{name}'",
    "new": ADD + " ({ALL}, '{name}', 1, {NOW}, {NOW})",
}


@pytest.mark.parametrize("lock", LOCKS)
async def test_a_locked_counter_holds_up_no_other(
    batcher: PatientBatcher,
    name: str,
    query: Query,
    other_connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    lock: str,
) -> None:
    monkeypatch.setattr("counter.batching.locks.BLIND_INTERVAL", 0.5)
    locked = f"{name}.locked"
    before = 0 if lock == "new" else 1
    await batcher.hit(name)
    if before:
        await batcher.hit(locked)
    other_connection.exec_driver_sql("BEGIN")
    statement = LOCKS[lock].format(ALL=ALL, HOUR=HOUR, NOW=NOW, name=locked)
    other_connection.exec_driver_sql(statement.replace("%", "%%"))
    waiting = []
    for count in range(2, ROUNDS + 2):  # if each waited a second, the first would be late
        waiting.append(asyncio.create_task(batcher.hit(locked)))
        assert await batcher.hit(name) == count
    assert not any(task.done() for task in waiting)
    other_connection.exec_driver_sql("ROLLBACK")
    counts = await asyncio.gather(*waiting)
    assert sorted(counts) == list(range(before + 1, before + ROUNDS + 1))
    assert query(count_of(name)) == ROUNDS + 1
    assert query(count_of(locked)) == before + ROUNDS


async def test_a_locked_counter_holds_up_no_other_where_an_attempt_is_shorter_than_a_lock_wait(
    create_db: Database, name: str, other_connection: Connection
) -> None:
    locked = f"{name}.locked"
    async with running_batcher(create_db, limit=0.7) as batcher:
        await batcher.hit(locked)
        other_connection.exec_driver_sql("BEGIN")
        other_connection.exec_driver_sql(LOCKS["its count"].format(ALL=ALL, name=locked))
        both = [Hit(locked), Hit(name)]
        waiting = [asyncio.create_task(batcher.count(both))]
        for count in range(1, 11):
            waiting.append(asyncio.create_task(batcher.count(both)))
            assert await batcher.hit(name) == count
        other_connection.exec_driver_sql("ROLLBACK")
        answers = await asyncio.gather(*waiting)
    assert sorted(first.count for first, _ in answers) == list(range(2, 13))


async def test_hits_on_a_locked_counter_end_at_their_deadline_and_take_nobodys_room(
    create_db: Database, name: str, query: Query, other_connection: Connection
) -> None:
    locked = f"{name}.locked"
    async with running_batcher(create_db, capacity=30) as batcher:
        await batcher.hit(locked)
        other_connection.exec_driver_sql("BEGIN")
        other_connection.exec_driver_sql(LOCKS["its count"].format(ALL=ALL, name=locked))
        first = asyncio.create_task(batcher.hit(locked, within=0.1))
        assert await batcher.hit(name) == 1
        with pytest.raises(UnavailableError, match=r"counted\."):
            await first
        waiting = [asyncio.create_task(batcher.hit(locked)) for _ in range(30)]
        assert await batcher.hit(name) == 2
        with pytest.raises(UnavailableError, match="Too many"):
            await batcher.hit(locked)
        late = [asyncio.create_task(batcher.hit(name)) for _ in range(20)]
        await asyncio.gather(*late)
        other_connection.exec_driver_sql("ROLLBACK")
        await asyncio.gather(*waiting)
    assert query(count_of(locked)) in (31, 32)


@contextmanager
def trigger(connection: Connection, event: str, condition: str) -> Iterator[None]:
    """Make the server refuse rows of the counters' table."""
    connection.exec_driver_sql(
        f"CREATE TRIGGER refuse BEFORE {event} ON counter FOR EACH ROW BEGIN"
        f" IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not that one'; END IF;"
        " END"
    )
    try:
        yield
    finally:
        connection.exec_driver_sql("DROP TRIGGER refuse")


async def test_what_a_trigger_refuses_fails_at_once_and_alone(
    batcher: PatientBatcher,
    name: str,
    query: Query,
    other_connection: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = f"{name}.refused"
    with trigger(other_connection, "INSERT", f"NEW.name = '{refused}'"):
        answers = await asyncio.gather(
            *(batcher.hit(refused if number % 5 == 0 else name) for number in range(50)),
            return_exceptions=True,
        )
        for count in range(41, 61):
            assert await batcher.hit(name) == count
            with pytest.raises(RefusedHitError, match="refuses"):
                await batcher.hit(refused)
        connection = batcher._writer._connection  # noqa: SLF001 (it stays, though under a
        assert await batcher.hit(name) == 61  # trigger no statement brings a count)
        assert batcher._writer._connection is connection  # noqa: SLF001
    assert sum(isinstance(answer, RefusedHitError) for answer in answers) == 10
    assert sorted(answer for answer in answers if isinstance(answer, int)) == [*range(1, 41)]
    assert await batcher.hit(refused) == 1  # as soon as the trigger is gone
    before = query("SELECT COUNT(*) FROM receipt")
    await asyncio.gather(*(batcher.hit(refused) for _ in range(20)))
    assert query("SELECT COUNT(*) FROM receipt") - before <= 2  # together again
    assert query(count_of(name)) == 61
    assert caplog.text.count("not that one") == 1


async def test_a_request_that_is_too_long_for_the_server_fails_at_once_and_alone(
    batcher: PatientBatcher, name: str, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counter.batching.sql.LARGEST_PACKET", "SELECT 16384")
    long = [Hit(f"{name}.{number}", 1, f"key-{number}") for number in range(MAX_HITS)]
    refused, *counts = await asyncio.gather(
        batcher.count(long),
        *(batcher.hit(f"{name}.few.{number}") for number in range(300)),
        return_exceptions=True,
    )
    assert isinstance(refused, TooManyHitsError)
    assert counts == [1] * 300  # though together they, too, are too long
    assert query(f"SELECT COUNT(*) FROM counter WHERE name = '{name}.1'") == 0


async def test_a_flood_of_large_requests_leaves_single_hits_their_room(
    create_db: Database, name: str
) -> None:
    large = [Hit(f"{name}.{number}") for number in range(20)]
    async with running_batcher(create_db, capacity=40, DB_PORT=free_port()) as batcher:
        waiting = [asyncio.create_task(batcher.count(large, 1)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="Too many"):
            await batcher.count(large)
        single = asyncio.create_task(batcher.hit(name, within=1))
        answers = await asyncio.gather(*waiting, single, return_exceptions=True)
    assert all("in time" in str(answer) for answer in answers)

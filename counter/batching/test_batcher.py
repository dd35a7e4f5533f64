"""The batcher: it counts each hit once, and returns its number or a truthful error."""

import asyncio
import random
import time
from collections import Counter

import pytest

from counter.batching.sql import ALL
from counter.hits import UnavailableError
from counter.testing import WITHIN, PatientBatcher, Query, count_of, running_batcher
from tests.support.serving import free_port
from throwaway_mysql import Database, Login


async def hits(batcher: PatientBatcher, name: str, number: int) -> list[int]:
    """Hit a counter `number` times concurrently; return the answers."""
    return await asyncio.gather(*(batcher.hit(name) for _ in range(number)))


async def test_hits_at_once_get_the_numbers_in_their_order(
    batcher: PatientBatcher, name: str, query: Query
) -> None:
    assert await hits(batcher, name, 100) == list(range(1, 101))
    assert await batcher.hit(name, 1_000_000) == 1_000_100
    answers = await asyncio.gather(*(batcher.hit(name, by) for by in (5, 1, 7)))
    assert answers == [1_000_105, 1_000_106, 1_000_113]
    assert query(count_of(name)) == 1_000_113


async def test_hits_at_once_on_many_counters_are_one_batch_or_two(
    batcher: PatientBatcher, name: str, query: Query
) -> None:
    names = [f"{name}.{number}" for number in range(200)]
    random.Random(1).shuffle(names)  # noqa: S311 (no secret)
    before = query("SELECT COUNT(*) FROM receipt")
    for times in (1, 2):
        answers = await asyncio.gather(*(batcher.hit(name) for name in names))
        assert answers == [times] * len(names)
    assert (
        query(f"SELECT SUM(count) FROM counter WHERE hour != {ALL} AND name LIKE '{name}.%%'")
        == 400
    )
    assert query("SELECT COUNT(*) FROM receipt") - before <= 4


async def test_writers_side_by_side_give_no_number_twice(
    create_db: Database, name: str, query: Query
) -> None:
    names = [f"{name}.{number}" for number in range(5)]
    counts: Counter[tuple[str, int]] = Counter()

    async def client(batcher: PatientBatcher, seed: int) -> None:
        choice = random.Random(seed)  # noqa: S311 (no secret)
        for _ in range(40):
            name = choice.choice(names)
            counts[name, await batcher.hit(name)] += 1

    async with (
        running_batcher(create_db) as one,
        running_batcher(create_db) as two,
        running_batcher(create_db) as three,
    ):
        clients = [client(batcher, seed) for seed in range(5) for batcher in (one, two, three)]
        await asyncio.gather(*clients)
    assert set(counts.values()) == {1}
    for name in names:
        numbers = sorted(number for counter, number in counts if counter == name)
        assert numbers == list(range(1, len(numbers) + 1))
        assert query(count_of(name)) == len(numbers)


async def test_callers_that_have_gone_leave_no_trace(
    batcher: PatientBatcher, name: str, query: Query
) -> None:
    tasks = [asyncio.create_task(batcher.hit(name)) for _ in range(9)]
    await asyncio.sleep(0)  # all wait, none has been sent
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[1::2] == [1, 2, 3, 4]
    assert query(count_of(name)) == 4


async def test_a_hit_that_cannot_be_sent_is_withdrawn_at_its_deadline(
    create_db: Database, name: str, query: Query
) -> None:
    async with running_batcher(create_db, DB_PORT=free_port()) as batcher:
        start = time.monotonic()
        with pytest.raises(UnavailableError, match="not counted"):
            await batcher.hit(name, within=0.3)
        assert time.monotonic() - start < WITHIN / 2
    assert query(count_of(name)) is None


async def test_without_tables_each_hit_is_told_what_to_do_and_the_log_has_one_line(
    create_db: Database, mysql_server: Login, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    bare = f"{create_db['DATABASE_NAME'][:50]}_bare"
    with mysql_server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {bare}")
        try:
            async with running_batcher(create_db, DATABASE_NAME=bare) as batcher:
                answers = await asyncio.gather(
                    *(batcher.hit(name) for _ in range(3)), return_exceptions=True
                )
                for _ in range(3):
                    with pytest.raises(UnavailableError, match="alembic upgrade head"):
                        await batcher.hit(name)
            assert all("alembic upgrade head" in str(answer) for answer in answers)
            assert all("not counted" in str(answer) for answer in answers)
            assert caplog.text.count("hits were dropped") == 1
        finally:
            cursor.execute(f"DROP DATABASE {bare}")


@pytest.mark.parametrize("broken", ["sql.statements", "batch.Batch._slot"])
async def test_a_fault_reaches_every_waiter_and_ends_nothing(
    batcher: PatientBatcher, name: str, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(f"counter.batching.{broken}")
        answers = await asyncio.gather(
            *(batcher.hit(name) for _ in range(3)), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [UnavailableError] * 3
    assert await batcher.hit(name) == 1


async def test_a_fault_after_the_commit_is_not_called_uncounted(
    batcher: PatientBatcher, name: str, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    await batcher.hit(name)
    with monkeypatch.context() as patch:
        patch.delattr("counter.batching.sql.totals")
        with pytest.raises(UnavailableError, match="may have been counted"):
            await batcher.hit(name, within=2)
    assert query(count_of(name)) == 2


async def test_the_end_writes_what_was_accepted_and_refuses_what_is_new(
    batcher: PatientBatcher, name: str, query: Query
) -> None:
    accepted = asyncio.create_task(hits(batcher, name, 50))
    await asyncio.sleep(0)
    ending = asyncio.create_task(batcher.close(within=WITHIN))
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="shutting down"):
        await batcher.hit(name)
    assert await accepted == list(range(1, 51))
    await ending
    assert query(count_of(name)) == 50


async def test_the_end_does_not_wait_for_a_database_that_is_gone(
    create_db: Database, name: str
) -> None:
    async with running_batcher(create_db, DB_PORT=free_port()) as batcher:
        waiting = asyncio.create_task(batcher.hit(name))
        await asyncio.sleep(0)
        start = time.monotonic()
        await batcher.close(within=0.2)
        assert time.monotonic() - start < WITHIN / 2
        with pytest.raises(UnavailableError, match="not counted"):
            await waiting

"""The tally where the server holds up or refuses one order among others."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection
from werkzeug.exceptions import RequestEntityTooLarge, ServiceUnavailable

from counter.tally.hits import MOST, Hit
from counter.tally.orders import Order
from counter.tally.packet import ADD, ALL, HOUR, NOW
from counter.tally.queue import Queue
from counter.testing import Look, count_of, tallying
from throwaway_mysql.databases.database import Coordinates
from throwaway_mysql.servers.port import free_port

WITHIN = 60.0  # seconds
ROUNDS = 40

LOCKS = {
    "its count": "SELECT count FROM counter WHERE hour = {ALL} AND name = '{name}' FOR UPDATE",
    "its hour": "SELECT count FROM counter WHERE hour = {HOUR} AND name = '{name}' FOR UPDATE",
    "both, deleted": "DELETE FROM counter WHERE name = '{name}'",
    "new": ADD + " ({ALL}, '{name}', 1, {NOW}, {NOW})",
}


@pytest.mark.parametrize("lock", LOCKS)
async def test_a_locked_counter_holds_up_no_other(
    create_db: Coordinates, name: str, look: Look, beside: Connection, lock: str
) -> None:
    locked = f"{name}.locked"
    before = 0 if lock == "new" else 1
    async with tallying(create_db) as tally:
        await tally.hit(name, 1, WITHIN)
        if before:
            await tally.hit(locked, 1, WITHIN)
        beside.exec_driver_sql("BEGIN")
        statement = LOCKS[lock].format(ALL=ALL, HOUR=HOUR, NOW=NOW, name=locked)
        beside.exec_driver_sql(statement.replace("%", "%%"))
        waiting = []
        for count in range(2, ROUNDS + 2):  # had each a second to wait, the first would be late
            waiting.append(asyncio.create_task(tally.hit(locked, 1, WITHIN)))
            assert await tally.hit(name, 1, WITHIN) == count
        assert not any(task.done() for task in waiting)
        beside.exec_driver_sql("ROLLBACK")
        counts = await asyncio.gather(*waiting)
        assert sorted(counts) == list(range(before + 1, before + ROUNDS + 1))
    assert look(count_of(name)) == ROUNDS + 1
    assert look(count_of(locked)) == before + ROUNDS


async def test_hits_on_a_locked_counter_end_at_their_deadline_and_take_nobodys_room(
    create_db: Coordinates, name: str, look: Look, beside: Connection
) -> None:
    locked = f"{name}.locked"
    async with tallying(create_db, bound=30) as tally:
        await tally.hit(locked, 1, WITHIN)
        beside.exec_driver_sql("BEGIN")
        beside.exec_driver_sql(LOCKS["its count"].format(ALL=ALL, name=locked))
        first = asyncio.create_task(tally.hit(locked, 1, 0.1))
        assert await tally.hit(name, 1, WITHIN) == 1
        with pytest.raises(ServiceUnavailable, match=r"counted\."):
            await first
        waiting = [asyncio.create_task(tally.hit(locked, 1, WITHIN)) for _ in range(30)]
        assert await tally.hit(name, 1, WITHIN) == 2
        with pytest.raises(ServiceUnavailable, match="Too many"):
            await tally.hit(locked, 1, WITHIN)
        late = [asyncio.create_task(tally.hit(name, 1, WITHIN)) for _ in range(20)]
        await asyncio.gather(*late)
        beside.exec_driver_sql("ROLLBACK")
        await asyncio.gather(*waiting)
    assert look(count_of(locked)) in (31, 32)


@contextmanager
def trigger(connection: Connection, event: str, condition: str) -> Iterator[None]:
    """Let the server refuse rows of the counters' table."""
    connection.exec_driver_sql(
        f"CREATE TRIGGER refuse BEFORE {event} ON counter FOR EACH ROW BEGIN"
        f" IF {condition} THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not that one'; END IF;"
        " END"
    )
    try:
        yield
    finally:
        connection.exec_driver_sql("DROP TRIGGER refuse")


async def test_what_a_trigger_refuses_is_told_at_once_and_alone(
    create_db: Coordinates,
    name: str,
    look: Look,
    beside: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = f"{name}.refused"
    async with tallying(create_db) as tally:
        with trigger(beside, "INSERT", f"NEW.name = '{refused}'"):
            answers = await asyncio.gather(
                *(
                    tally.hit(refused if number % 5 == 0 else name, 1, WITHIN)
                    for number in range(50)
                ),
                return_exceptions=True,
            )
            for count in range(41, 61):
                assert await tally.hit(name, 1, WITHIN) == count
                with pytest.raises(ServiceUnavailable, match="refuses"):
                    await tally.hit(refused, 1, WITHIN)
        assert sum(isinstance(answer, ServiceUnavailable) for answer in answers) == 10
        assert sorted(answer for answer in answers if isinstance(answer, int)) == [*range(1, 41)]
        assert await tally.hit(refused, 1, WITHIN) == 1  # as soon as it is let
    assert look(count_of(name)) == 60
    assert caplog.text.count("not that one") == 1


async def test_an_order_that_is_too_long_for_the_server_is_told_at_once_and_alone(
    create_db: Coordinates, name: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counter.tally.packet.LARGEST_PACKET", "SELECT 16384")
    long = [Hit(f"{name}.{number}", 1, f"key-{number}") for number in range(MOST)]
    async with tallying(create_db) as tally:
        refused, *counts = await asyncio.gather(
            tally.count(long, WITHIN),
            *(tally.hit(f"{name}.few.{number}", 1, WITHIN) for number in range(300)),
            return_exceptions=True,
        )
    assert isinstance(refused, RequestEntityTooLarge)
    assert counts == [1] * 300  # though they, too, are too long together
    assert look(f"SELECT COUNT(*) FROM counter WHERE name = '{name}.1'") == 0


async def test_a_flood_of_large_orders_leaves_single_hits_their_room(
    create_db: Coordinates, name: str
) -> None:
    large = [Hit(f"{name}.{number}") for number in range(20)]
    async with tallying(create_db, bound=40, DB_PORT=free_port()) as tally:
        waiting = [asyncio.create_task(tally.count(large, 1)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceUnavailable, match="Too many"):
            await tally.count(large, WITHIN)
        single = asyncio.create_task(tally.hit(name, 1, 1))
        answers = await asyncio.gather(*waiting, single, return_exceptions=True)
    assert all("in time" in str(answer) for answer in answers)


async def test_small_and_large_orders_take_turns() -> None:
    queue = Queue(10_000)
    loop = asyncio.get_running_loop()

    def add(size: int) -> None:
        assert queue.add(Order([Hit("a/b")] * size, 0, loop.create_future()))

    for _ in range(5):
        add(MOST)
    for _ in range(2 * MOST):
        add(1)
    sizes = [[len(order.hits) for order in queue.take(MOST)] for _ in range(7)]
    assert sorted(map(len, sizes[:2])) == sorted(map(len, sizes[2:4])) == [1, MOST]
    assert sizes[4:] == [[MOST]] * 3

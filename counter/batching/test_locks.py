"""How the tally finds out which counters somebody else has locked, and for how long."""

import asyncio
from collections.abc import Collection, Iterator

import pytest
from sqlalchemy import Connection

from application import create_app
from counter.batching.batch import Batch
from counter.batching.locks import Seen
from counter.batching.sql import ADD, ALL, NOW
from counter.batching.writer import LockedError, Writer
from counter.hits import Hit
from counter.testing import tallying
from testing import connected
from throwaway_mysql.databases.database import Coordinates
from throwaway_mysql.testing.relay import Relay

WITHIN = 60.0  # seconds

HeldUp = asyncio.Queue[tuple[set[str], set[str]]]


@pytest.fixture
def rival(create_db: Coordinates) -> Iterator[Connection]:
    """Connect to the database as another program that locks counters."""
    with connected(create_db) as connection:
        yield connection


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    """Return a queue of the batches that waited for a lock: their counters, and those locked."""
    batches: HeldUp = asyncio.Queue()
    write = Writer.write

    async def watched(writer: Writer, batch: Batch) -> dict[str, int]:
        try:
            return await write(writer, batch)
        except LockedError as error:
            batches.put_nowait((set(batch.sums), set(error.seen.locked)))
            raise

    monkeypatch.setattr(Writer, "write", watched)
    return batches


def lock(connection: Connection, *names: str) -> None:
    """Lock counters in a transaction that stays open."""
    connection.exec_driver_sql("BEGIN")
    for name in names:
        where = f"hour = {ALL} AND name = '{name}'"
        connection.exec_driver_sql(f"UPDATE counter SET count = count + 1 WHERE {where}")


def lock_new(connection: Connection, name: str) -> None:
    """Make a counter in a transaction that stays open: what it locks is not there to be seen."""
    connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql(f"{ADD} ({ALL}, '{name}', 1, {NOW}, {NOW})")


async def test_a_counter_that_others_count_on_is_tried_again_though_it_is_always_locked(
    create_db: Coordinates, name: str, beside: Connection, rival: Connection, held_up: HeldUp
) -> None:
    """Many processes hold it by turns, each for a moment: to wait helps, to look does not."""
    async with tallying(create_db) as tally:
        await tally.hit(name, 1, WITHIN)
        lock(beside, name)
        waiting = asyncio.create_task(tally.hit(name, 1, WITHIN))
        assert await asyncio.wait_for(held_up.get(), WITHIN) == ({name}, {name})
        beside.exec_driver_sql("COMMIT")
        lock(rival, name)
        tried = asyncio.create_task(held_up.get())
        done, _ = await asyncio.wait(
            [tried, waiting], timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED
        )
        assert done
        rival.exec_driver_sql("ROLLBACK")
        assert await waiting == 3
        tried.cancel()


async def test_a_counter_that_others_count_on_meanwhile_is_not_taken_for_locked(
    create_db: Coordinates,
    name: str,
    beside: Connection,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = f"{name}.busy"
    look = Writer._look  # noqa: SLF001

    async def looking(writer: Writer, names: Collection[str]) -> Seen:
        seen = await look(writer, names)
        beside.exec_driver_sql("COMMIT")
        lock(beside, busy)
        return seen

    monkeypatch.setattr(Writer, "_look", looking)
    async with tallying(create_db) as tally:
        for each in (name, busy):
            await tally.hit(each, 1, WITHIN)
        lock(rival, name)
        lock(beside, busy)
        waiting = [asyncio.create_task(tally.hit(each, 1, WITHIN)) for each in (name, busy)]
        assert await asyncio.wait_for(held_up.get(), WITHIN) == ({name, busy}, {name})
        monkeypatch.undo()
        beside.exec_driver_sql("ROLLBACK")
        rival.exec_driver_sql("ROLLBACK")
        await asyncio.gather(*waiting)


async def test_a_lock_that_is_not_seen_keeps_no_other_counter_waiting(
    create_db: Coordinates,
    name: str,
    beside: Connection,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.locks.UNSEEN", 1000)
    new = f"{name}.new"
    async with tallying(create_db) as tally:
        await tally.hit(name, 1, WITHIN)
        lock(beside, name)
        lock_new(rival, new)
        waiting = []
        for each in (name, new):
            waiting.append(asyncio.create_task(tally.hit(each, 1, WITHIN)))
            assert (await asyncio.wait_for(held_up.get(), WITHIN))[0] == {each}
        beside.exec_driver_sql("ROLLBACK")
        assert await waiting[0] == 2
        rival.exec_driver_sql("ROLLBACK")
        waiting[1].cancel()


async def test_an_order_whose_lock_is_not_seen_waits_without_the_others_on_its_counters(
    create_db: Coordinates,
    name: str,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.queue.UNSEEN", 0.5)
    both = f"{name}.a", f"{name}.b"  # both are new
    async with tallying(create_db) as tally:
        lock_new(rival, both[0])
        waiting = asyncio.create_task(tally.count([Hit(each) for each in both], WITHIN))
        for _ in range(2):
            assert await asyncio.wait_for(held_up.get(), WITHIN) == ({*both}, set())
        assert await tally.hit(both[1], 1, WITHIN) == 1
        rival.exec_driver_sql("ROLLBACK")
        assert [number.count for number in await waiting] == [1, 2]


async def test_among_others_a_counter_that_lacks_a_row_is_tried_first_where_no_lock_is_seen(
    create_db: Coordinates,
    name: str,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.locks.UNSEEN", 0.5)
    new, others = f"{name}.new", [f"{name}.{number}" for number in range(20)]
    async with tallying(create_db) as tally:
        await asyncio.gather(*(tally.hit(other, 1, WITHIN) for other in others))
        lock_new(rival, new)
        waiting = [asyncio.create_task(tally.hit(each, 1, WITHIN)) for each in (*others, new)]
        assert await asyncio.wait_for(held_up.get(), WITHIN) == ({*others, new}, set())
        assert await asyncio.gather(*waiting[:-1]) == [2] * len(others)
        assert await asyncio.wait_for(held_up.get(), WITHIN) == ({new}, set())
        rival.exec_driver_sql("ROLLBACK")
        assert await waiting[-1] == 1


async def test_an_attempt_is_long_enough_to_find_a_lock_where_requests_are_short(
    create_db: Coordinates, name: str, rival: Connection, held_up: HeldUp
) -> None:
    new = f"{name}.new"
    app = create_app(**create_db, DB_TIMEOUT=1)
    async with app.test_app():
        tally = app.extensions["tally"]
        lock_new(rival, new)
        waiting = asyncio.create_task(tally.hit(new, 1, WITHIN))
        assert await asyncio.wait_for(held_up.get(), WITHIN) == ({new}, set())
        assert await tally.hit(name, 1, WITHIN) == 1
        rival.exec_driver_sql("ROLLBACK")
        waiting.cancel()


async def test_a_look_at_many_counters_goes_in_packets_that_the_server_takes(
    create_db: Coordinates, name: str, beside: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counter.batching.sql.LARGEST_PACKET", "SELECT 4096")
    names = [f"{name}.{number:032}" for number in range(50)]
    lengths: list[int] = []

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server:
            lengths.append(len(packet))

    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, **relay.address) as tally:
        await asyncio.gather(*(tally.hit(each, 1, WITHIN) for each in names))
        relay.watch = watch
        lock(beside, *names[1:])
        seen = await tally._writer.look([*names, f"{name}.new"])  # noqa: SLF001
        beside.exec_driver_sql("ROLLBACK")
    assert sorted(seen.locked) == names[1:]
    assert seen.new == {f"{name}.new"}
    assert max(lengths) <= 4096

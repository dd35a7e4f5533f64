"""How the batcher finds which counters somebody else has locked, and for how long."""

import asyncio
from collections.abc import Collection, Iterator

import pytest
from sqlalchemy import Connection

from application import create_app
from counter.batching.batch import Batch
from counter.batching.locks import LockState
from counter.batching.sql import ADD, ALL, NOW
from counter.batching.writer import LockedError, Writer
from counter.hits import Hit
from counter.testing import WITHIN, PatientBatcher
from tests.support.databases import connected
from tests.support.proxy import Proxy
from throwaway_mysql import Database

HeldUp = asyncio.Queue[tuple[set[str], set[str]]]


@pytest.fixture
def rival(create_db: Database) -> Iterator[Connection]:
    """Connect to the database as another program that locks counters."""
    with connected(create_db) as connection:
        yield connection


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    """Return a queue of batches that waited for a lock: their counters, and the locked ones."""
    batches: HeldUp = asyncio.Queue()
    write = Writer.write

    async def watched(writer: Writer, batch: Batch) -> dict[str, int]:
        try:
            return await write(writer, batch)
        except LockedError as error:
            batches.put_nowait((set(batch.sums), set(error.state.locked)))
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
    """Create a counter in a transaction that stays open: a probe cannot see its lock."""
    connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql(f"{ADD} ({ALL}, '{name}', 1, {NOW}, {NOW})")


async def test_a_counter_that_others_count_on_is_tried_again_though_it_is_always_locked(
    batcher: PatientBatcher,
    name: str,
    other_connection: Connection,
    rival: Connection,
    held_up: HeldUp,
) -> None:
    """Many processes hold the lock in turn, each briefly: waiting helps, probing does not."""
    await batcher.hit(name)
    lock(other_connection, name)
    waiting = asyncio.create_task(batcher.hit(name))
    assert await asyncio.wait_for(held_up.get(), WITHIN) == ({name}, {name})
    other_connection.exec_driver_sql("COMMIT")
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
    batcher: PatientBatcher,
    name: str,
    other_connection: Connection,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy = f"{name}.busy"
    probe = Writer._probe  # noqa: SLF001

    async def probe_then_lock(writer: Writer, names: Collection[str]) -> LockState:
        state = await probe(writer, names)
        other_connection.exec_driver_sql("COMMIT")
        lock(other_connection, busy)
        return state

    monkeypatch.setattr(Writer, "_probe", probe_then_lock)
    for each in (name, busy):
        await batcher.hit(each)
    lock(rival, name)
    lock(other_connection, busy)
    waiting = [asyncio.create_task(batcher.hit(each)) for each in (name, busy)]
    assert await asyncio.wait_for(held_up.get(), WITHIN) == ({name, busy}, {name})
    monkeypatch.undo()
    other_connection.exec_driver_sql("ROLLBACK")
    rival.exec_driver_sql("ROLLBACK")
    await asyncio.gather(*waiting)


async def test_a_lock_that_is_not_seen_keeps_no_other_counter_waiting(
    batcher: PatientBatcher,
    name: str,
    other_connection: Connection,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.locks.BLIND_INTERVAL", 1000)
    new = f"{name}.new"
    await batcher.hit(name)
    lock(other_connection, name)
    lock_new(rival, new)
    waiting = []
    for each in (name, new):
        waiting.append(asyncio.create_task(batcher.hit(each)))
        assert (await asyncio.wait_for(held_up.get(), WITHIN))[0] == {each}
    other_connection.exec_driver_sql("ROLLBACK")
    assert await waiting[0] == 2
    rival.exec_driver_sql("ROLLBACK")
    waiting[1].cancel()


async def test_a_request_whose_lock_is_not_seen_waits_without_the_others_on_its_counters(
    batcher: PatientBatcher,
    name: str,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.queue.BLIND_INTERVAL", 0.5)
    both = f"{name}.a", f"{name}.b"  # both are new
    lock_new(rival, both[0])
    waiting = asyncio.create_task(batcher.count([Hit(each) for each in both]))
    for _ in range(2):
        assert await asyncio.wait_for(held_up.get(), WITHIN) == ({*both}, set())
    assert await batcher.hit(both[1]) == 1
    rival.exec_driver_sql("ROLLBACK")
    assert [number.count for number in await waiting] == [1, 2]


async def test_a_request_whose_lock_cannot_be_seen_is_tried_alone_from_then_on(
    batcher: PatientBatcher,
    name: str,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.locks.BLIND_INTERVAL", 0.1)
    new = f"{name}.new"
    lock_new(rival, new)
    waiting = asyncio.create_task(batcher.hit(new))
    batches: list[set[str]] = []
    async with asyncio.timeout(WITHIN):
        while batches[-2:] != [{new}, {new}]:
            await asyncio.gather(*(batcher.hit(name) for _ in range(2)))
            while not held_up.empty():
                batches.append(held_up.get_nowait()[0])
    rival.exec_driver_sql("ROLLBACK")
    assert await waiting == 1
    assert {name, new} not in batches[batches.index({new}) :]


async def test_among_others_a_counter_that_lacks_a_row_is_tried_first_where_no_lock_is_seen(
    batcher: PatientBatcher,
    name: str,
    rival: Connection,
    held_up: HeldUp,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.locks.BLIND_INTERVAL", 0.5)
    new, others = f"{name}.new", [f"{name}.{number}" for number in range(20)]
    await asyncio.gather(*(batcher.hit(other) for other in others))
    lock_new(rival, new)
    waiting = [asyncio.create_task(batcher.hit(each)) for each in (*others, new)]
    assert await asyncio.wait_for(held_up.get(), WITHIN) == ({*others, new}, set())
    assert await asyncio.gather(*waiting[:-1]) == [2] * len(others)
    assert await asyncio.wait_for(held_up.get(), WITHIN) == ({new}, set())
    rival.exec_driver_sql("ROLLBACK")
    assert await waiting[-1] == 1


async def test_an_attempt_is_long_enough_to_find_a_lock_where_requests_are_short(
    create_db: Database, name: str, rival: Connection, held_up: HeldUp
) -> None:
    new = f"{name}.new"
    app = create_app(**{**create_db, "DB_TIMEOUT": 1})
    async with app.test_app():
        batcher = app.extensions["batcher"]
        lock_new(rival, new)
        waiting = asyncio.create_task(batcher.count([Hit(new)], WITHIN))
        assert await asyncio.wait_for(held_up.get(), WITHIN) == ({new}, set())
        await batcher.count([Hit(name)], WITHIN)
        rival.exec_driver_sql("ROLLBACK")
        waiting.cancel()


async def test_a_probe_of_many_counters_goes_in_packets_that_the_server_takes(
    proxy: Proxy,
    proxied: PatientBatcher,
    name: str,
    other_connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("counter.batching.sql.LARGEST_PACKET", "SELECT 4096")
    names = [f"{name}.{number:032}" for number in range(50)]
    lengths: list[int] = []

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server:
            lengths.append(len(packet))

    await asyncio.gather(*(proxied.hit(each) for each in names))
    proxy.watch = watch
    lock(other_connection, *names[1:])
    state = await proxied._writer.probe([*names, f"{name}.new"])  # noqa: SLF001
    other_connection.exec_driver_sql("ROLLBACK")
    assert sorted(state.locked) == names[1:]
    assert state.new == {f"{name}.new"}
    assert max(lengths) <= 4096

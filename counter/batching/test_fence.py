"""A batch whose number is given up while a packet of it may still arrive."""

import asyncio

import pytest
from sqlalchemy import Connection

from counter.hits import MAX_COUNT, CountLimitError, Hit
from counter.testing import (
    BATCH,
    WITHIN,
    LateBatch,
    PatientBatcher,
    Query,
    count_of,
    cut_once,
    running_batcher,
    start_counter,
)
from tests.support.proxy import CutError, Proxy
from throwaway_mysql import Database


async def test_a_late_packet_counts_nothing_though_the_key_that_stopped_it_is_purged(
    create_db: Database, proxy: Proxy, name: str, query: Query, other_connection: Connection
) -> None:
    """Only its batch number shows that it must not be counted."""
    keyed = Hit(f"{name}.keyed", 1, "old")
    first = LateBatch()  # its answer shows that it has locked the counters
    async with running_batcher(create_db, limit=1, **proxy.address) as batcher:
        async with running_batcher(create_db) as other:
            await other.count([keyed])
        proxy.watch = first.watch
        (number,), (replay,) = await asyncio.gather(
            batcher.count([Hit(name)]), batcher.count([keyed])
        )
        assert (number.count, replay.replayed) == (1, True)
        other_connection.exec_driver_sql(f"DELETE FROM idempotency_key WHERE name = '{keyed.name}'")
        first.late.set()
        await asyncio.wait_for(first.through.wait(), WITHIN)
        assert await batcher.hit(name) == 2
    assert query(count_of(keyed.name)) == 1


async def test_a_full_counter_whose_batch_was_lost_on_its_way_holds_up_nobody(
    proxy: Proxy, proxied: PatientBatcher, name: str, other_connection: Connection
) -> None:
    full = f"{name}.full"
    start_counter(other_connection, full, MAX_COUNT)
    proxy.watch = cut_once(lambda packet, to_server: to_server and BATCH in packet)
    refused, count = await asyncio.gather(
        proxied.hit(full), proxied.hit(name), return_exceptions=True
    )
    assert isinstance(refused, CountLimitError)
    assert count == 1


async def test_a_batch_that_came_in_late_is_not_called_refused_though_it_would_be_now(
    create_db: Database, proxy: Proxy, name: str, query: Query, other_connection: Connection
) -> None:
    """The first packet arrives after the query for its receipt, and before the second packet."""
    start_counter(other_connection, name, MAX_COUNT - 3)
    held, late, asked = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server and BATCH in packet and not held.is_set():
            held.set()
            await late.wait()
        elif to_server and BATCH in packet:
            late.set()
            await asked.wait()
        elif not to_server and late.is_set():
            asked.set()  # for the first packet's receipt

    async with running_batcher(create_db, limit=1, **proxy.address) as batcher:
        proxy.watch = watch
        answers = await asyncio.gather(*(batcher.hit(name, by) for by in (1, 2)))
        assert answers == [MAX_COUNT - 2, MAX_COUNT]
    assert query(count_of(name)) == MAX_COUNT


@pytest.mark.parametrize("cut", ["fence", "answer"])
async def test_a_fence_that_was_cut_off_is_made_again(
    proxy: Proxy, proxied: PatientBatcher, name: str, query: Query, cut: str
) -> None:
    keyed = Hit(f"{name}.keyed", 1, "old")
    fence = b"ON DUPLICATE KEY UPDATE number"
    fenced = False

    def matches(packet: bytes, to_server: bool) -> bool:  # noqa: FBT001
        nonlocal fenced
        asked, fenced = fenced, fence in packet
        return fenced if cut == "fence" else asked and not to_server

    await proxied.count([keyed])
    lost, done = asyncio.Event(), asyncio.Event()
    cut_batch = cut_once(lambda packet, up: up and BATCH in packet, lost)
    cut_fence = cut_once(matches, done)

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        await (cut_fence if lost.is_set() else cut_batch)(packet, to_server)

    proxy.watch = watch
    (number,), (replay,) = await asyncio.gather(proxied.count([Hit(name)]), proxied.count([keyed]))
    assert done.is_set()
    assert (number.count, replay.count, replay.replayed) == (1, 1, True)
    assert query(count_of(name)) == query(count_of(keyed.name)) == 1


@pytest.mark.parametrize("committed", [True, False])
async def test_a_batch_in_doubt_that_the_server_would_find_too_long_now_counts_once(
    proxy: Proxy,
    proxied: PatientBatcher,
    name: str,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    committed: bool,  # noqa: FBT001
) -> None:
    """A server that restarts in the middle of a batch may come back with other settings."""
    names = [f"{name}.{number}" for number in range(20)]
    await proxied.hit(name)

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if committed and not to_server:
            while query(count_of(names[-1])) != 1:  # noqa: ASYNC110
                await asyncio.sleep(0)
        if not to_server or (BATCH in packet and not committed):
            proxy.watch = None
            monkeypatch.setattr("counter.batching.sql.LARGEST_PACKET", "SELECT 4096")
            raise CutError

    proxy.watch = watch
    counts = await asyncio.gather(*(proxied.hit(each) for each in names))
    assert counts == [1] * len(names)
    assert [query(count_of(each)) for each in names] == counts

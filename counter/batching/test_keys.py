"""Idempotency keys: each counts once, however often and by whomever it is repeated."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection

from counter.batching.batch import Batch
from counter.batching.sql import ALL
from counter.batching.writer import Writer
from counter.hits import (
    MAX_COUNT,
    Counted,
    CountLimitError,
    Hit,
    ReusedKeyError,
    UnavailableError,
)
from counter.testing import (
    BATCH,
    PatientBatcher,
    Query,
    count_of,
    running_batcher,
    start_counter,
)
from tests.support.proxy import CutError, Proxy
from tests.support.serving import free_port
from throwaway_mysql import Database

EVERY_SIGN = "".join(map(chr, range(0x21, 0x7F)))


async def keyed(batcher: PatientBatcher, name: str, key: str, by: int = 1) -> Counted:
    """Hit a counter with a key."""
    (number,) = await batcher.count([Hit(name, by, key)])
    return number


async def test_keys_may_have_every_visible_sign_and_differ_by_case(
    batcher: PatientBatcher, name: str
) -> None:
    keys = [EVERY_SIGN[:64], EVERY_SIGN[-64:], "'", "\\", "\\'", "a", "A", "a;b", "%s", "--"]
    for replayed in (False, True):
        for count, key in enumerate(keys, 1):
            assert await keyed(batcher, name, key) == Counted(count, replayed)


async def test_a_key_with_another_by_is_refused_alone(
    batcher: PatientBatcher, name: str, query: Query
) -> None:
    await keyed(batcher, name, "a", 5)
    answers = await asyncio.gather(
        keyed(batcher, name, "a", 6),  # known to the database
        keyed(batcher, name, "b", 1),
        keyed(batcher, name, "b", 2),  # known to the batch
        batcher.hit(name),
        return_exceptions=True,
    )
    assert isinstance(answers[0], ReusedKeyError)
    assert isinstance(answers[2], ReusedKeyError)
    assert answers[1] == Counted(6, replayed=False)
    assert answers[3] == 7
    assert query(count_of(name)) == 7


async def test_repeats_at_once_count_once(create_db: Database, name: str, query: Query) -> None:
    async with running_batcher(create_db) as one, running_batcher(create_db) as two:
        answers = await asyncio.gather(
            *(
                keyed(batcher, f"{name}.{number % 3}", f"key-{number}")
                for _ in range(10)
                for number in range(30)
                for batcher in (one, two)
            )
        )
    first = [number.count for number in answers[0:60:2]]
    for start in range(0, 600, 60):
        for batcher in (0, 1):
            assert [number.count for number in answers[start + batcher : start + 60 : 2]] == first
    assert sum(not number.replayed for number in answers) == 30
    for counter in range(3):
        assert sorted(first[counter::3]) == list(range(1, 11))
        assert query(count_of(f"{name}.{counter}")) == 10


async def test_repeats_at_once_are_known_in_few_batches(
    batcher: PatientBatcher, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[Batch] = []
    write = Writer.write

    async def watch(writer: Writer, batch: Batch) -> dict[str, int]:
        batches.append(batch)
        return await write(writer, batch)

    monkeypatch.setattr(Writer, "write", watch)
    hits = [[Hit(name, 1, f"key-{number}")] for number in range(500)]
    first = await asyncio.gather(*(batcher.count(hit) for hit in hits))
    batches.clear()
    for _ in range(2):
        again = await asyncio.gather(*(batcher.count(hit) for hit in hits))
        assert [number.count for (number,) in again] == [n.count for (n,) in first]
    assert len(batches) == 2


async def test_new_hits_do_not_wait_for_a_storm_of_repeats(
    batcher: PatientBatcher, name: str
) -> None:
    await asyncio.gather(*(keyed(batcher, name, f"old-{number}") for number in range(20)))
    over = asyncio.Event()

    async def repeat(number: int) -> None:
        while not over.is_set():
            assert (await keyed(batcher, name, f"old-{number}")).replayed

    storm = [asyncio.create_task(repeat(number)) for number in range(20)]
    for number in range(1, 51):
        assert await keyed(batcher, name, f"new-{number}") == Counted(20 + number, replayed=False)
    over.set()
    await asyncio.gather(*storm)


@pytest.mark.parametrize("counters", [1, 3])
@pytest.mark.parametrize("at", ["packet", "answer"])
async def test_a_key_counts_once_over_a_lost_connection(
    proxy: Proxy, proxied: PatientBatcher, name: str, query: Query, counters: int, at: str
) -> None:
    sent = cut = False

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        nonlocal sent, cut
        sent = sent or (to_server and BATCH in packet)
        if sent and not cut and to_server is (at == "packet"):
            cut = True
            raise CutError

    names = [f"{name}.{number}" for number in range(counters)]
    proxy.watch = watch
    hits = [Hit(name, 3, "key") for name in names]
    assert [number.count for number in await proxied.count(hits)] == [3] * counters
    assert cut
    assert await proxied.count(hits) == [Counted(3, replayed=True)] * counters
    for name in names:
        assert query(count_of(name)) == 3


async def test_a_batch_in_doubt_learns_that_another_writer_had_its_key(
    create_db: Database, proxy: Proxy, name: str, query: Query
) -> None:
    """The first packet never arrives; before the second, another writer counts the key."""
    lost, theirs = asyncio.Event(), asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server and BATCH in packet and not lost.is_set():
            lost.set()
            raise CutError
        if lost.is_set():
            await theirs.wait()

    async with (
        running_batcher(create_db, **proxy.address) as ours,
        running_batcher(create_db) as other,
    ):
        proxy.watch = watch
        waiting = asyncio.gather(keyed(ours, name, "key", 4), ours.hit(name))
        await lost.wait()
        assert await keyed(other, name, "key", 4) == Counted(4, replayed=False)
        theirs.set()
        mine, unkeyed = await waiting
        assert mine == Counted(4, replayed=True)
        assert unkeyed == 5
    assert query(count_of(name)) == 5


async def test_a_request_is_counted_whole_or_not_at_all(
    batcher: PatientBatcher, name: str, query: Query, other_connection: Connection
) -> None:
    start_counter(other_connection, f"{name}.full", MAX_COUNT)
    await keyed(batcher, name, "a", 5)
    for bad in (Hit(f"{name}.full"), Hit(name, 6, "a")):
        answers = await asyncio.gather(
            batcher.count([Hit(name), Hit(name, 2, "c"), bad]),
            batcher.hit(f"{name}.beside"),
            return_exceptions=True,
        )
        assert isinstance(answers[0], CountLimitError | ReusedKeyError)
        assert isinstance(answers[1], int)
    request = [Hit(name), Hit(name, 5, "a"), Hit(name, 2, "c"), Hit(f"{name}.new", 9)]
    assert await batcher.count(request) == results((6, 0), (5, 1), (8, 0), (9, 0))
    assert await batcher.count(request) == results((9, 0), (5, 1), (8, 1), (18, 0))
    assert query(count_of(name)) == 9


def results(*pairs: tuple[int, int]) -> Sequence[Counted]:
    """Return answers from pairs of a count and whether it is a replay."""
    return [Counted(count, bool(replayed)) for count, replayed in pairs]


async def test_a_request_of_the_most_hits_is_one_batch(
    batcher: PatientBatcher, name: str, query: Query
) -> None:
    request = [Hit(f"{name}.{number:03}.{'x' * 30}", 1, f"{number:064}") for number in range(1000)]
    before = query("SELECT COUNT(*) FROM receipt")
    for replayed in (False, True):
        assert await batcher.count(request) == [Counted(1, replayed)] * 1000
    assert query("SELECT COUNT(*) FROM receipt") == before + 1
    with pytest.raises(ValueError, match="from 1 to 1000 hits"):
        await batcher.count([*request, Hit(name)])
    with pytest.raises(ValueError, match="from 1 to 1000 hits"):
        await batcher.count([])
    with pytest.raises(ValueError, match="each key once"):
        await batcher.count([Hit(name, 1, "a"), Hit(name, 1, "a")])
    assert (
        query(f"SELECT COUNT(*) FROM counter WHERE hour = {ALL} AND name LIKE '{name}.%%'") == 1000
    )


async def test_the_capacity_counts_the_hits_of_requests(create_db: Database, name: str) -> None:
    async with running_batcher(create_db, capacity=10, DB_PORT=free_port()) as batcher:
        waiting = asyncio.create_task(batcher.count([Hit(name)] * 9, 0.3))
        await asyncio.sleep(0)
        with pytest.raises(UnavailableError, match="Too many"):
            await batcher.count([Hit(name)] * 2)
        with pytest.raises(UnavailableError, match="in time"):
            await batcher.hit(name, within=0.1)
        with pytest.raises(UnavailableError, match="in time"):
            await waiting
        with pytest.raises(UnavailableError, match="in time"):  # there is room again
            await batcher.count([Hit(name)] * 10, 0.1)

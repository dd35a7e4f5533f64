"""Idempotency keys: each counts once, whoever brings it again, and however often."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection
from werkzeug.exceptions import ServiceUnavailable, UnprocessableEntity

from counter.batching.batch import Batch
from counter.batching.batcher import Tally
from counter.batching.sql import ALL
from counter.batching.writer import Writer
from counter.hits import Hit, Number
from counter.testing import BATCH, Look, count_of, tallying
from throwaway_mysql.databases.database import Coordinates
from throwaway_mysql.testing.relay import CutError, Relay

WITHIN = 20.0  # seconds
EVERY_SIGN = "".join(map(chr, range(0x21, 0x7F)))


async def keyed(tally: Tally, name: str, key: str, by: int = 1) -> Number:
    """Hit a counter with a key."""
    (number,) = await tally.count([Hit(name, by, key)], WITHIN)
    return number


async def test_a_repeat_is_answered_the_same_and_counts_nothing(
    create_db: Coordinates, name: str, look: Look
) -> None:
    async with tallying(create_db) as tally:
        assert await keyed(tally, name, "a", 5) == Number(5, replayed=False)
        assert await keyed(tally, name, "b", 2) == Number(7, replayed=False)
        assert await tally.hit(name, 1, WITHIN) == 8
        assert await keyed(tally, name, "a", 5) == Number(5, replayed=True)
        assert await keyed(tally, name, "b", 2) == Number(7, replayed=True)
        assert await keyed(tally, f"{name}.other", "a") == Number(1, replayed=False)
    assert look(count_of(name)) == 8


async def test_keys_may_have_every_visible_sign_and_differ_by_case(
    create_db: Coordinates, name: str
) -> None:
    keys = [EVERY_SIGN[:64], EVERY_SIGN[-64:], "'", "\\", "\\'", "a", "A", "a;b", "%s", "--"]
    async with tallying(create_db) as tally:
        for replayed in (False, True):
            for count, key in enumerate(keys, 1):
                assert await keyed(tally, name, key) == Number(count, replayed)


async def test_a_key_with_another_by_is_refused_alone(
    create_db: Coordinates, name: str, look: Look
) -> None:
    async with tallying(create_db) as tally:
        await keyed(tally, name, "a", 5)
        answers = await asyncio.gather(
            keyed(tally, name, "a", 6),  # known to the database
            keyed(tally, name, "b", 1),
            keyed(tally, name, "b", 2),  # known to the batch
            tally.hit(name, 1, WITHIN),
            return_exceptions=True,
        )
    assert isinstance(answers[0], UnprocessableEntity)
    assert isinstance(answers[2], UnprocessableEntity)
    assert answers[1] == Number(6, replayed=False)
    assert answers[3] == 7
    assert look(count_of(name)) == 7


async def test_repeats_at_once_count_once(create_db: Coordinates, name: str, look: Look) -> None:
    async with tallying(create_db) as one, tallying(create_db) as two:
        answers = await asyncio.gather(
            *(
                keyed(tally, f"{name}.{number % 3}", f"key-{number}")
                for _ in range(10)
                for number in range(30)
                for tally in (one, two)
            )
        )
    first = [number.count for number in answers[0:60:2]]
    for start in range(0, 600, 60):
        for tally in (0, 1):
            assert [number.count for number in answers[start + tally : start + 60 : 2]] == first
    assert sum(not number.replayed for number in answers) == 30
    for counter in range(3):
        assert sorted(first[counter::3]) == list(range(1, 11))
        assert look(count_of(f"{name}.{counter}")) == 10


async def test_repeats_at_once_are_known_in_few_batches(
    create_db: Coordinates, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[Batch] = []
    write = Writer.write

    async def watch(writer: Writer, batch: Batch) -> dict[str, int]:
        batches.append(batch)
        return await write(writer, batch)

    monkeypatch.setattr(Writer, "write", watch)
    async with tallying(create_db) as tally:
        hits = [[Hit(name, 1, f"key-{number}")] for number in range(500)]
        first = await asyncio.gather(*(tally.count(hit, WITHIN) for hit in hits))
        batches.clear()
        for _ in range(2):
            again = await asyncio.gather(*(tally.count(hit, WITHIN) for hit in hits))
            assert [number.count for (number,) in again] == [n.count for (n,) in first]
    assert len(batches) == 2


async def test_new_hits_do_not_wait_for_a_storm_of_repeats(
    create_db: Coordinates, name: str
) -> None:
    async with tallying(create_db) as tally:
        await asyncio.gather(*(keyed(tally, name, f"old-{number}") for number in range(20)))
        over = asyncio.Event()

        async def repeat(number: int) -> None:
            while not over.is_set():
                assert (await keyed(tally, name, f"old-{number}")).replayed

        storm = [asyncio.create_task(repeat(number)) for number in range(20)]
        for number in range(1, 51):
            assert await keyed(tally, name, f"new-{number}") == Number(20 + number, replayed=False)
        over.set()
        await asyncio.gather(*storm)


@pytest.mark.parametrize("counters", [1, 3])
@pytest.mark.parametrize("at", ["packet", "answer"])
async def test_a_key_counts_once_over_a_lost_connection(
    create_db: Coordinates, name: str, look: Look, counters: int, at: str
) -> None:
    sent = cut = False

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        nonlocal sent, cut
        sent = sent or (to_server and BATCH in packet)
        if sent and not cut and to_server is (at == "packet"):
            cut = True
            raise CutError

    names = [f"{name}.{number}" for number in range(counters)]
    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, **relay.address) as tally:
        relay.watch = watch
        hits = [Hit(name, 3, "key") for name in names]
        assert [number.count for number in await tally.count(hits, WITHIN)] == [3] * counters
        assert cut
        assert await tally.count(hits, WITHIN) == [Number(3, replayed=True)] * counters
    for name in names:
        assert look(count_of(name)) == 3


async def test_a_batch_in_doubt_learns_that_another_writer_had_its_key(
    create_db: Coordinates, name: str, look: Look
) -> None:
    """The first packet never comes; before the second, somebody else counts the key."""
    lost, theirs = asyncio.Event(), asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server and BATCH in packet and not lost.is_set():
            lost.set()
            raise CutError
        if lost.is_set():
            await theirs.wait()

    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with (
        relay.open(),
        tallying(create_db, **relay.address) as ours,
        tallying(create_db) as other,
    ):
        relay.watch = watch
        waiting = asyncio.gather(keyed(ours, name, "key", 4), ours.hit(name, 1, WITHIN))
        await lost.wait()
        assert await keyed(other, name, "key", 4) == Number(4, replayed=False)
        theirs.set()
        mine, unkeyed = await waiting
        assert mine == Number(4, replayed=True)
        assert unkeyed == 5
    assert look(count_of(name)) == 5


async def test_an_order_is_counted_whole_or_not_at_all(
    create_db: Coordinates, name: str, look: Look, beside: Connection
) -> None:
    full = 2**64 - 1
    beside.exec_driver_sql(
        f"INSERT INTO counter VALUES ({ALL}, '{name}.full', {full}, {full}, NOW(), NOW())"
    )
    async with tallying(create_db) as tally:
        await keyed(tally, name, "a", 5)
        for bad in (Hit(f"{name}.full"), Hit(name, 6, "a")):
            answers = await asyncio.gather(
                tally.count([Hit(name), Hit(name, 2, "c"), bad], WITHIN),
                tally.hit(f"{name}.beside", 1, WITHIN),
                return_exceptions=True,
            )
            assert isinstance(answers[0], UnprocessableEntity)
            assert isinstance(answers[1], int)
        order = [Hit(name), Hit(name, 5, "a"), Hit(name, 2, "c"), Hit(f"{name}.new", 9)]
        assert await tally.count(order, WITHIN) == numbers((6, 0), (5, 1), (8, 0), (9, 0))
        assert await tally.count(order, WITHIN) == numbers((9, 0), (5, 1), (8, 1), (18, 0))
    assert look(count_of(name)) == 9


def numbers(*pairs: tuple[int, int]) -> Sequence[Number]:
    """Return numbers from counts and whether they are replayed."""
    return [Number(count, bool(replayed)) for count, replayed in pairs]


async def test_an_order_of_the_most_hits_is_one_batch(
    create_db: Coordinates, name: str, look: Look
) -> None:
    order = [Hit(f"{name}.{number:03}.{'x' * 30}", 1, f"{number:064}") for number in range(1000)]
    async with tallying(create_db) as tally:
        before = look("SELECT COUNT(*) FROM receipt")
        for replayed in (False, True):
            assert await tally.count(order, WITHIN) == [Number(1, replayed)] * 1000
        assert look("SELECT COUNT(*) FROM receipt") == before + 1
        with pytest.raises(ValueError, match="from 1 to 1000 hits"):
            await tally.count([*order, Hit(name)], WITHIN)
        with pytest.raises(ValueError, match="from 1 to 1000 hits"):
            await tally.count([], WITHIN)
        with pytest.raises(ValueError, match="each key once"):
            await tally.count([Hit(name, 1, "a"), Hit(name, 1, "a")], WITHIN)
    assert (
        look(f"SELECT COUNT(*) FROM counter WHERE hour = {ALL} AND name LIKE '{name}.%%'") == 1000
    )


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 65, "a\n"])
async def test_what_is_no_key_is_refused(create_db: Coordinates, name: str, key: str) -> None:
    async with tallying(create_db) as tally:
        with pytest.raises(ValueError, match="not a hit"):
            await keyed(tally, name, key)


async def test_the_bound_counts_the_hits_of_orders(create_db: Coordinates, name: str) -> None:
    async with tallying(create_db, bound=10, DB_PORT=1) as tally:
        waiting = asyncio.create_task(tally.count([Hit(name)] * 9, 0.3))
        await asyncio.sleep(0)
        with pytest.raises(ServiceUnavailable, match="Too many"):
            await tally.count([Hit(name)] * 2, WITHIN)
        with pytest.raises(ServiceUnavailable, match="in time"):
            await tally.hit(name, 1, 0.1)
        with pytest.raises(ServiceUnavailable, match="in time"):
            await waiting

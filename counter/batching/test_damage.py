"""The batcher when connections are cut, packets are late and tables vanish."""

import asyncio

import pytest
from sqlalchemy import Connection

from counter.hits import Hit, UnavailableError
from counter.testing import (
    BATCH,
    COMMITTED,
    WITHIN,
    LateBatch,
    PatientBatcher,
    Query,
    count_of,
    cut_once,
    nth_answer,
    running_batcher,
)
from tests.support.proxy import CutError, Proxy
from throwaway_mysql import Database, Login


@pytest.mark.parametrize(
    ("counters", "packet"),
    [*((1, packet) for packet in range(COMMITTED + 1)), *((3, packet) for packet in range(10))],
)
async def test_a_connection_cut_at_any_packet_counts_once(
    proxy: Proxy, proxied: PatientBatcher, name: str, query: Query, counters: int, packet: int
) -> None:
    names = [f"{name}.{number}" for number in range(counters)]
    for name in names:
        await proxied.hit(name)
    matches = nth_answer(packet) if packet else lambda data, up: up and BATCH in data
    proxy.watch = cut_once(matches, cut := asyncio.Event())
    for count in (2, 3):
        assert await asyncio.gather(*(proxied.hit(name) for name in names)) == [count] * len(names)
    assert cut.is_set()
    for name in names:
        assert query(count_of(name)) == 3


COMMIT = b"\x03COMMIT"  # as a query of its own


@pytest.mark.parametrize("to_server", [True, False], ids=["COMMIT", "its answer"])
@pytest.mark.parametrize("counters", [1, 3])
async def test_on_galera_each_statement_goes_alone_and_a_cut_commit_counts_once(
    proxy: Proxy,
    proxied: PatientBatcher,
    name: str,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    counters: int,
    to_server: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr("counter.batching.sql.GALERA", "SELECT 'wsrep_on'")
    names = [f"{name}.{number}" for number in range(counters)]
    batches = [b"", b""]
    cuts = 0

    async def watch(packet: bytes, up: bool) -> None:  # noqa: FBT001
        nonlocal cuts
        if up:
            batches.append(packet)
        if cuts < len(names) and up is to_server and batches[-1] == COMMIT and BATCH in batches[-2]:
            cuts += 1
            raise CutError

    proxy.watch = watch
    for count in (1, 2, 3):
        hits = [Hit(name, 1, f"key.{count}") for name in names]
        numbers = await proxied.count(hits)
        assert [number.count for number in numbers] == [count] * counters
    assert cuts == counters
    assert [packet for packet in batches if BATCH in packet and b";" in packet] == []
    for name in names:
        assert query(count_of(name)) == 3


async def test_a_batch_that_comes_in_late_is_not_counted_again(
    create_db: Database, proxy: Proxy, name: str, query: Query
) -> None:
    first = LateBatch(answer=b"Duplicate entry")
    async with running_batcher(create_db, limit=1, **proxy.address) as batcher:
        proxy.watch = first.watch
        assert await batcher.hit(name) == 1  # by a second connection
        first.late.set()
        await asyncio.wait_for(first.through.wait(), WITHIN)
        assert await batcher.hit(name) == 2
    assert query(count_of(name)) == 2


async def test_receipts_go_but_for_those_in_doubt(
    proxy: Proxy, proxied: PatientBatcher, name: str, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counter.batching.writer.RECEIPTS", 5)
    before = query("SELECT COUNT(*) FROM receipt")
    others = query("SELECT COUNT(*) FROM receipt WHERE number = 21")
    for count in range(1, 21):
        assert await proxied.hit(name) == count
    assert query("SELECT COUNT(*) FROM receipt") - before <= 6
    proxy.watch = cut_once(lambda data, up: up and BATCH in data)
    for count in range(21, 41):
        assert await proxied.hit(name) == count
    assert query("SELECT COUNT(*) FROM receipt WHERE number = 21") == others + 1
    assert query("SELECT COUNT(*) FROM receipt") - before <= 12


async def test_a_hit_without_an_answer_may_have_been_counted_and_says_so(
    create_db: Database, proxy: Proxy, name: str, query: Query
) -> None:
    async def watch(_: bytes, to_server: bool) -> None:  # noqa: FBT001
        if not to_server:
            await asyncio.Event().wait()

    async with running_batcher(create_db, limit=1, **proxy.address) as batcher:
        await batcher.hit(name)
        proxy.watch = watch
        with pytest.raises(UnavailableError, match="may have been counted"):
            await batcher.hit(name, within=2)
        proxy.watch = None
    assert query(count_of(name)) == 2


async def test_a_connection_that_the_server_ended_is_replaced_before_the_next_hit(
    batcher: PatientBatcher, mysql_server: Login, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    await batcher.hit(name)
    connection = batcher._writer._connection  # noqa: SLF001 (whose end is awaited)
    with mysql_server.connect() as root, root.cursor() as cursor:
        cursor.execute("KILL %s", (connection.thread_id(),))
    async with asyncio.timeout(WITHIN):
        while not connection._reader.eof_received:  # noqa: ASYNC110, SLF001
            await asyncio.sleep(0)
    assert await batcher.hit(name) == 2
    assert caplog.text == ""


async def test_an_answer_from_the_receipt_leaves_no_transaction_open(
    proxy: Proxy, proxied: PatientBatcher, name: str, other_connection: Connection
) -> None:
    proxy.watch = cut_once(nth_answer(COMMITTED))
    assert await proxied.hit(name) == 1
    other_connection.exec_driver_sql("ALTER TABLE receipt COMMENT = 'nobody holds it'")


async def test_a_hit_in_doubt_is_not_called_uncounted_when_the_schema_has_gone(
    create_db: Database, proxy: Proxy, other_connection: Connection, name: str
) -> None:
    gone = asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server and BATCH in packet:  # the batch is lost, and a table with it
            other_connection.exec_driver_sql("RENAME TABLE receipt TO receipt_elsewhere")
            gone.set()
            raise CutError

    try:
        async with running_batcher(create_db, **proxy.address) as batcher:
            await batcher.hit(name)
            proxy.watch = watch
            with pytest.raises(UnavailableError, match="may have been counted"):
                await batcher.hit(name)
    finally:
        if gone.is_set():
            other_connection.exec_driver_sql("RENAME TABLE receipt_elsewhere TO receipt")

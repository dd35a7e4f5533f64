"""The tally: each hit counted once and told its own number, whatever breaks."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from werkzeug.exceptions import ServiceUnavailable, UnprocessableEntity

import db
from counter import tally as room
from counter.tally import Tally
from counter.writer import Writer
from harness.database import Coordinates
from harness.login import Login
from harness.process import free_port
from harness.relay import CutError, Relay

Insert = Callable[[str, int], None]

WITHIN = 20.0  # seconds; what is to be quick says less
BATCH = b"INSERT INTO receipt"  # is in the packet of a batch only
LARGEST = 2**64 - 1


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a counter that no other test has."""
    return f"tally/{abs(hash(request.node.nodeid))}"


@pytest.fixture
def look(create_db: Coordinates, mysql_login: Login) -> Callable[[str], Any]:
    """Return a function that asks the database for one value, beside the tally."""

    def ask(query: str) -> Any:
        with open_connection(create_db, mysql_login) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        return row[0] if row else None

    return ask


@pytest.fixture
def insert(create_db: Coordinates, mysql_login: Login) -> Insert:
    """Return a function that makes a counter with a start."""

    def make(name: str, start: int) -> None:
        with open_connection(create_db, mysql_login) as connection, connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO counter VALUES ('{name}', {start}, {start}, NOW(), NOW())")

    return make


def open_connection(coordinates: Coordinates, login: Login) -> "Connection[Cursor]":
    """Connect to the database."""
    connection = login.connect()
    connection.select_db(coordinates["DATABASE_NAME"])
    return connection


def count_of(name: str) -> str:
    """Return the query for what is stored: the count, where the hours agree with it."""
    return (
        f"SELECT count FROM counter WHERE name = '{name}' AND count - start ="
        f" (SELECT SUM(count) FROM counter_hour WHERE name = '{name}')"
    )


@asynccontextmanager
async def tallying(
    coordinates: Coordinates, *, limit: float = 5, bound: int = room.BOUND, **changes: object
) -> AsyncIterator[Tally]:
    """Run a tally on the database."""
    config = {**coordinates, **changes}
    tally = Tally(Writer(lambda: db.connect(config), limit), bound)
    try:
        yield tally
    finally:
        await tally.close(within=5)


async def hits(tally: Tally, name: str, number: int) -> list[int]:
    """Hit a counter so many times at once; return the answers."""
    return await asyncio.gather(*(tally.hit(name, 1, WITHIN) for _ in range(number)))


async def test_hits_at_once_get_the_numbers_in_their_order(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    async with tallying(create_db) as tally:
        assert await hits(tally, name, 100) == list(range(1, 101))
        assert await tally.hit(name, 1_000_000, WITHIN) == 1_000_100
        answers = await asyncio.gather(*(tally.hit(name, by, WITHIN) for by in (5, 1, 7)))
        assert answers == [1_000_105, 1_000_106, 1_000_113]
    assert look(count_of(name)) == 1_000_113


async def test_hits_at_once_on_many_counters_are_one_batch_or_two(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    names = [f"{name}.{number}" for number in range(200)]
    random.Random(1).shuffle(names)  # noqa: S311 (no secret)
    before = look("SELECT COUNT(*) FROM receipt")
    async with tallying(create_db) as tally:
        for times in (1, 2):
            answers = await asyncio.gather(*(tally.hit(name, 1, WITHIN) for name in names))
            assert answers == [times] * len(names)
    assert look(f"SELECT SUM(count) FROM counter_hour WHERE name LIKE '{name}.%'") == 400
    assert look("SELECT COUNT(*) FROM receipt") - before <= 4


async def test_writers_side_by_side_give_no_number_twice(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    names = [f"{name}.{number}" for number in range(5)]
    given: Counter[tuple[str, int]] = Counter()

    async def client(tally: Tally, seed: int) -> None:
        choice = random.Random(seed)  # noqa: S311 (no secret)
        for _ in range(40):
            name = choice.choice(names)
            given[name, await tally.hit(name, 1, WITHIN)] += 1

    async with tallying(create_db) as one, tallying(create_db) as two, tallying(create_db) as three:
        clients = [client(tally, seed) for seed in range(5) for tally in (one, two, three)]
        await asyncio.gather(*clients)
    assert set(given.values()) == {1}
    for name in names:
        numbers = sorted(number for counter, number in given if counter == name)
        assert numbers == list(range(1, len(numbers) + 1))
        assert look(count_of(name)) == len(numbers)


def cut_once(place: Callable[[bytes, bool], bool]) -> Callable[[bytes, bool], Awaitable[None]]:
    """Return what cuts the connection at the first packet that `place` takes."""
    done = False

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        nonlocal done
        if not done and place(packet, to_server):
            done = True
            raise CutError

    return watch


def nth_answer(number: int) -> Callable[[bytes, bool], bool]:
    """Take the packet of that number among those that answer a batch, from 1."""
    answers: list[bytes] | None = None

    def place(packet: bytes, to_server: bool) -> bool:  # noqa: FBT001
        nonlocal answers
        if to_server:
            answers = [] if BATCH in packet else None
        elif answers is not None:
            answers.append(packet)
        return answers is not None and len(answers) == number

    return place


@pytest.mark.parametrize("counters", [1, 3])
@pytest.mark.parametrize("packet", range(5))
async def test_a_connection_cut_at_any_packet_counts_once(
    create_db: Coordinates, name: str, look: Callable[[str], Any], counters: int, packet: int
) -> None:
    names = [f"{name}.{number}" for number in range(counters)]
    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, **relay.address) as tally:
        for name in names:
            await tally.hit(name, 1, WITHIN)
        relay.watch = cut_once(
            nth_answer(packet) if packet else lambda data, up: up and BATCH in data
        )
        for count in (2, 3):
            assert await asyncio.gather(*(tally.hit(name, 1, WITHIN) for name in names)) == [
                count
            ] * len(names)
    for name in names:
        assert look(count_of(name)) == 3


async def test_a_batch_that_comes_in_late_is_not_counted_again(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    late, through = asyncio.Event(), asyncio.Event()
    held = False

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        nonlocal held
        if to_server and BATCH in packet and not held:
            held = True
            await late.wait()
        elif held and not to_server and b"Duplicate entry" in packet:
            through.set()

    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, limit=1, **relay.address) as tally:
        relay.watch = watch
        assert await tally.hit(name, 1, WITHIN) == 1  # by a second connection
        late.set()
        await asyncio.wait_for(through.wait(), WITHIN)
        assert await tally.hit(name, 1, WITHIN) == 2
    assert look(count_of(name)) == 2


async def test_receipts_go_but_for_those_in_doubt(
    create_db: Coordinates, name: str, look: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("counter.writer.KEPT", 5)
    before = look("SELECT COUNT(*) FROM receipt")
    others = look("SELECT COUNT(*) FROM receipt WHERE number = 21")
    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, **relay.address) as tally:
        for count in range(1, 21):
            assert await tally.hit(name, 1, WITHIN) == count
        assert look("SELECT COUNT(*) FROM receipt") - before <= 6
        relay.watch = cut_once(lambda data, up: up and BATCH in data)
        for count in range(21, 41):
            assert await tally.hit(name, 1, WITHIN) == count
    assert look("SELECT COUNT(*) FROM receipt WHERE number = 21") == others + 1
    assert look("SELECT COUNT(*) FROM receipt") - before <= 12


async def test_receipts_of_days_ago_go_with_the_next_connection(
    create_db: Coordinates, mysql_login: Login, name: str, look: Callable[[str], Any]
) -> None:
    with open_connection(create_db, mysql_login) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO receipt VALUES (1, 1, '1', NOW() - INTERVAL 3 DAY)")
    async with tallying(create_db) as tally:
        await tally.hit(name, 1, WITHIN)
    assert look("SELECT COUNT(*) FROM receipt WHERE writer = 1") == 0


async def test_callers_that_have_gone_leave_no_trace(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    async with tallying(create_db) as tally:
        tasks = [asyncio.create_task(tally.hit(name, 1, WITHIN)) for _ in range(9)]
        await asyncio.sleep(0)  # all wait, none is sent
        for task in tasks[::2]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[1::2] == [1, 2, 3, 4]
    assert look(count_of(name)) == 4


async def test_hits_wait_for_a_locked_row(
    create_db: Coordinates, mysql_login: Login, name: str, look: Callable[[str], Any]
) -> None:
    async with tallying(create_db) as tally:
        await tally.hit(name, 1, WITHIN)
        with open_connection(create_db, mysql_login) as holder, holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"SELECT * FROM counter WHERE name = '{name}' FOR UPDATE")
            waiting = asyncio.create_task(hits(tally, name, 3))
            waits = (
                "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
            )
            while not look(waits):  # noqa: ASYNC110 (only the server knows)
                await asyncio.sleep(0.15)  # it answers from a cache that is kept for 0.1 s
            cursor.execute("COMMIT")
        assert await waiting == [2, 3, 4]
    assert look(count_of(name)) == 4


async def test_a_hit_that_cannot_be_sent_is_withdrawn_at_its_deadline(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    async with tallying(create_db, DB_PORT=free_port()) as tally:
        start = time.monotonic()
        with pytest.raises(ServiceUnavailable, match="not counted"):
            await tally.hit(name, 1, within=0.3)
        assert time.monotonic() - start < 2
    assert look(count_of(name)) is None


async def test_a_hit_without_an_answer_may_have_been_counted_and_says_so(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    async def watch(_: bytes, to_server: bool) -> None:  # noqa: FBT001
        if not to_server:
            await asyncio.Event().wait()

    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, limit=1, **relay.address) as tally:
        await tally.hit(name, 1, WITHIN)
        relay.watch = watch
        with pytest.raises(ServiceUnavailable, match="may have been counted"):
            await tally.hit(name, 1, within=0.5)
        relay.watch = None
    assert look(count_of(name)) == 2


async def test_too_many_waiting_hits_are_refused_at_once(create_db: Coordinates, name: str) -> None:
    async with tallying(create_db, bound=10, DB_PORT=free_port()) as tally:
        waiting = [asyncio.create_task(tally.hit(name, 1, 0.5)) for _ in range(10)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceUnavailable, match="Too many"):
            await tally.hit(name, 1, WITHIN)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(answer) for answer in answers} == {ServiceUnavailable}
        with pytest.raises(ServiceUnavailable, match="away"):  # there is room again
            await tally.hit(name, 1, 0.1)


async def test_a_count_that_would_be_too_large_fails_alone(
    create_db: Coordinates, name: str, look: Callable[[str], Any], insert: Insert
) -> None:
    insert(f"{name}.full", LARGEST - 3)
    async with tallying(create_db) as tally:
        answers = await asyncio.gather(
            *(tally.hit(name, 1, WITHIN) for _ in range(20)),
            tally.hit(f"{name}.full", 5, WITHIN),
            *(tally.hit(name, 1, WITHIN) for _ in range(20)),
            tally.hit(f"{name}.full", 3, WITHIN),
            return_exceptions=True,
        )
    assert answers[:20] + answers[21:41] == list(range(1, 41))
    assert isinstance(answers[20], UnprocessableEntity)
    assert answers[41] == LARGEST
    assert look(count_of(name)) == 40
    assert look(count_of(f"{name}.full")) == LARGEST


async def test_a_count_that_was_lost_on_its_way_is_not_called_too_large(
    create_db: Coordinates, name: str, look: Callable[[str], Any], insert: Insert
) -> None:
    """The first packet comes in between the question for its receipt and the second."""
    insert(name, LARGEST - 3)
    held, late, asked = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server and BATCH in packet and not held.is_set():
            held.set()
            await late.wait()
        elif to_server and BATCH in packet:
            late.set()
            await asked.wait()
        elif not to_server and late.is_set():
            asked.set()  # what the first packet was answered

    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, limit=1, **relay.address) as tally:
        relay.watch = watch
        answers = await asyncio.gather(*(tally.hit(name, by, WITHIN) for by in (1, 2)))
        assert answers == [LARGEST - 2, LARGEST]
    assert look(count_of(name)) == LARGEST


async def test_many_that_are_too_large_hold_up_nobody(
    create_db: Coordinates, name: str, look: Callable[[str], Any], insert: Insert
) -> None:
    insert(f"{name}.full", LARGEST)
    async with tallying(create_db) as tally:
        full = [tally.hit(f"{name}.full", 1, WITHIN) for _ in range(10)]
        answers = await asyncio.gather(
            *(
                hit
                for hit in full
                for hit in (hit, *(tally.hit(name, 1, WITHIN) for _ in range(9)))
            ),
            return_exceptions=True,
        )
    assert sum(isinstance(answer, UnprocessableEntity) for answer in answers) == 10
    assert sorted(answer for answer in answers if isinstance(answer, int)) == list(range(1, 91))
    assert look(count_of(name)) == 90


@pytest.mark.parametrize(
    ("bad", "by"), [("no-namespace", 1), ("a/é", 1), ("a/b", 0), ("a/b", 10**7)]
)
async def test_what_is_no_hit_is_refused_and_harms_no_other(
    create_db: Coordinates, name: str, bad: str, by: int
) -> None:
    async with tallying(create_db) as tally:
        good = asyncio.create_task(tally.hit(name, 1, WITHIN))
        with pytest.raises(ValueError, match="not a hit"):
            await tally.hit(bad, by, WITHIN)
        assert await good == 1


async def test_a_connection_that_the_server_ended_is_replaced_before_the_next_hit(
    create_db: Coordinates, mysql_login: Login, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with tallying(create_db) as tally:
        await tally.hit(name, 1, WITHIN)
        connection = tally._writer._connection  # noqa: SLF001 (whose end is awaited)
        with mysql_login.connect() as root, root.cursor() as cursor:
            cursor.execute("KILL %s", (connection.thread_id(),))
        async with asyncio.timeout(WITHIN):
            while not connection._reader.eof_received:  # noqa: ASYNC110, SLF001
                await asyncio.sleep(0)
        assert await tally.hit(name, 1, WITHIN) == 2
    assert caplog.text == ""


async def test_an_answer_from_the_receipt_leaves_no_transaction_open(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    async with relay.open(), tallying(create_db, **relay.address) as tally:
        relay.watch = cut_once(nth_answer(4))  # that of COMMIT
        assert await tally.hit(name, 1, WITHIN) == 1
        look("ALTER TABLE receipt COMMENT = 'nobody holds it'")


async def test_a_hit_in_doubt_is_not_called_uncounted_when_the_schema_has_gone(
    create_db: Coordinates, mysql_login: Login, name: str
) -> None:
    gone = asyncio.Event()

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001
        if to_server and BATCH in packet:  # it is lost, and so is a table
            with open_connection(create_db, mysql_login) as connection:
                connection.query("RENAME TABLE receipt TO receipt_elsewhere")
            gone.set()
            raise CutError

    relay = Relay(create_db["DB_HOST"], create_db["DB_PORT"])
    try:
        async with relay.open(), tallying(create_db, **relay.address) as tally:
            await tally.hit(name, 1, WITHIN)
            relay.watch = watch
            with pytest.raises(ServiceUnavailable, match="may have been counted"):
                await tally.hit(name, 1, WITHIN)
    finally:
        if gone.is_set():
            with open_connection(create_db, mysql_login) as connection:
                connection.query("RENAME TABLE receipt_elsewhere TO receipt")


async def test_without_tables_each_hit_is_told_what_to_do(
    create_db: Coordinates, mysql_login: Login, name: str
) -> None:
    bare = f"{create_db['DATABASE_NAME'][:50]}_bare"
    with mysql_login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {bare}")
        try:
            async with tallying(create_db, DATABASE_NAME=bare) as tally:
                answers = await asyncio.gather(
                    *(tally.hit(name, 1, WITHIN) for _ in range(3)), return_exceptions=True
                )
            assert all("alembic upgrade head" in str(answer) for answer in answers)
        finally:
            cursor.execute(f"DROP DATABASE {bare}")


async def test_a_fault_reaches_every_waiter_and_ends_nothing(
    create_db: Coordinates, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tallying(create_db) as tally:
        with monkeypatch.context() as patch:
            patch.delattr("counter.batch.statements")
            answers = await asyncio.gather(
                *(tally.hit(name, 1, WITHIN) for _ in range(3)), return_exceptions=True
            )
            assert [type(answer) for answer in answers] == [ServiceUnavailable] * 3
        assert await tally.hit(name, 1, WITHIN) == 1


async def test_the_end_writes_what_was_accepted_and_refuses_what_is_new(
    create_db: Coordinates, name: str, look: Callable[[str], Any]
) -> None:
    async with tallying(create_db) as tally:
        accepted = asyncio.create_task(hits(tally, name, 50))
        await asyncio.sleep(0)
        ending = asyncio.create_task(tally.close(within=5))
        await asyncio.sleep(0)
        with pytest.raises(ServiceUnavailable, match="ending"):
            await tally.hit(name, 1, WITHIN)
        assert await accepted == list(range(1, 51))
        await ending
    assert look(count_of(name)) == 50


async def test_the_end_does_not_wait_for_a_database_that_is_gone(
    create_db: Coordinates, name: str
) -> None:
    async with tallying(create_db, DB_PORT=free_port()) as tally:
        waiting = asyncio.create_task(tally.hit(name, 1, WITHIN))
        await asyncio.sleep(0)
        start = time.monotonic()
        await tally.close(within=0.2)
        assert time.monotonic() - start < 2
        with pytest.raises(ServiceUnavailable, match="not counted"):
            await waiting

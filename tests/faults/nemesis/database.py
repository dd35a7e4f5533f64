"""Faults made with SQL statements: killed connections, locks, the clock."""

import asyncio
import time
from contextlib import suppress
from random import Random

import pymysql
from pymysql.cursors import Cursor

from counter.models import ALL_HOURS
from tests.faults.environment import Environment
from tests.faults.history import HOME, LOCK_FOUND_WITHIN, Lock

COUNTED_WITHIN = 60.0  # seconds
HEAVY = 2000  # rows: in a deadlock, the server rolls back the transaction that changed fewer
WAITS_FOR = 0.8  # seconds; a writer gives up after 1
DEADLOCKS = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
WAITING = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"


async def kill_connections(env: Environment, chance: Random) -> int:
    """Kill the app's connections at any moment: between statements, around COMMIT."""
    killed = 0
    for _ in range(chance.randint(5, 15)):
        await env.history.wait_for(chance.randint(1, 20), COUNTED_WITHIN)
        killed += await asyncio.to_thread(env.kill_connections)
    return killed


async def deadlock(env: Environment, chance: Random) -> int:
    """Lock rows in the opposite order to the writers; return how many deadlocks that caused."""
    # Two counters that are hit together now: a writer locks them in the order of their names.
    batch = next(o.hits for o in reversed(env.history.operations) if len(o.hits) > 1)
    first, *_, last = sorted(hit.counter for hit in batch)
    return await asyncio.to_thread(_deadlocks, env, last, first, chance.randint(3, 8))


async def lock_counter(env: Environment, chance: Random) -> int:
    """Lock one counter for seconds, while views of the page, another counter, must go on."""
    history, clock = env.history, asyncio.get_running_loop().time
    single = {o.hits[0].counter for o in history.operations if len(o.hits) == 1}
    counter = chance.choice(sorted(single - {HOME}))
    with env.root() as root:
        root.execute("BEGIN")
        # In a thread: whoever holds the lock needs the proxies, which run on this event loop.
        await asyncio.to_thread(_lock, root, counter)
        start = clock()
        await asyncio.sleep(LOCK_FOUND_WITHIN)
        with suppress(TimeoutError):  # a checker reports it
            await history.wait_for(1, COUNTED_WITHIN, lambda operation: operation.is_view)
        await env.pause(chance, 2.5)
        history.locks.append(Lock(counter, start, clock()))
        root.execute("ROLLBACK")
    return 1


async def set_clock_back(env: Environment, chance: Random) -> int:
    """Set the clock that statements see back, and after a while right again.

    `init_connect` sets it for each new connection of an ordinary account.
    """
    changes = chance.randint(1, 3)
    for _ in range(changes):
        back = chance.choice((10, 3600, 7200, 30 * 3600))  # seconds; receipts are kept for a day
        await asyncio.to_thread(_begin_sessions, env, f"SET timestamp = {time.time() - back:.0f}")
        await env.pause(chance, 0.2, 0.5, 1)
    await asyncio.to_thread(_begin_sessions, env, "")
    return changes


def _begin_sessions(env: Environment, statement: str) -> None:
    """Make the app reconnect, and begin each of its sessions with the statement."""
    with env.root() as root:
        root.execute("SET GLOBAL init_connect = %s", (statement,))
    env.kill_connections()


def _deadlocks(env: Environment, last: str, first: str, rounds: int) -> int:
    """Lock two counters in the wrong order, in a transaction that has changed the most rows."""
    with env.root() as root, env.root() as observer:
        root.execute("CREATE TABLE IF NOT EXISTS ballast (n INT)")
        root.execute("SET SESSION innodb_lock_wait_timeout = 5")
        before = _number(observer, DEADLOCKS)
        for _ in range(rounds):
            root.execute("BEGIN")
            root.executemany("INSERT INTO ballast VALUES (%s)", [(1,)] * HEAVY)
            with suppress(pymysql.OperationalError):  # it waited for too long
                _lock(root, last)
                _wait_for_waiters(observer)
                _lock(root, first)
            root.execute("ROLLBACK")
        return _number(observer, DEADLOCKS) - before


def _lock(cursor: Cursor, name: str) -> None:
    query = "SELECT count FROM counter WHERE hour = %s AND name = %s FOR UPDATE"
    cursor.execute(query, (ALL_HOURS, name))


def _wait_for_waiters(cursor: Cursor) -> None:
    """Return once two checks in a row saw a session wait for a lock, so not just in passing."""
    deadline, looks = time.monotonic() + WAITS_FOR, 0
    while looks < 2 and time.monotonic() < deadline:
        looks = looks + 1 if _number(cursor, WAITING) else 0
        time.sleep(0.02)


def _number(cursor: Cursor, query: str) -> int:
    """Return the last column of the only row."""
    cursor.execute(query)
    return int(cursor.fetchall()[0][-1])

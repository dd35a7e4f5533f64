"""Faults that the database's own statements make: killed connections, locks, its clock."""

import asyncio
import time
from random import Random

import pymysql
from pymysql.constants.ER import LOCK_DEADLOCK, LOCK_WAIT_TIMEOUT

from counter.models import ALL_HOURS
from faults.asking import HOME
from faults.scene import Scene

KILLS = 5, 15
APART = 1, 20  # requests that are counted between
WITHIN = 30.0  # seconds
ROUNDS = 3, 8
WAITS_FOR = 0.8  # seconds; a writer gives up after 1
WEIGHT = 2000  # rows: the server gives up the transaction that has changed fewer
BACK = (10, 3600, 7200, 30 * 3600)  # seconds; receipts are kept for a day
SET_BACK_FOR = 3  # kills of all connections, at a clock of their own each
LOCKED_FOR = 4.0  # seconds
FOUND_AFTER = 1.5  # seconds: the first batch waits for the lock until the server gives up
DEADLOCKS = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
WAITING = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"


async def connections_killed(scene: Scene, chance: Random) -> int:
    """Kill the app's connections at any moment: between statements, around COMMIT."""
    killed = 0
    for _ in range(chance.randint(*KILLS)):
        await scene.ledger.more(chance.randint(*APART), WITHIN)
        killed += await asyncio.to_thread(scene.kill_connections)
    return killed


async def deadlocks(scene: Scene, chance: Random) -> int:
    """Lock rows in the order that no writer uses; return how many deadlocks that made."""
    rounds = chance.randint(*ROUNDS)
    heavy = [chance.random() < 0.7 for _ in range(rounds)]
    return await asyncio.to_thread(_rival, scene, heavy)


async def counter_locked(scene: Scene, chance: Random) -> int:
    """Lock one counter, and note how the views of the page, another counter, go on."""
    counters = {r.hits[0].counter for r in scene.ledger.requests if len(r.hits) == 1} - {HOME}
    clock = asyncio.get_running_loop().time
    with scene.root() as root:
        root.execute("BEGIN")
        # Whoever has it now needs the relays, which this event loop runs.
        await asyncio.to_thread(_lock, root, chance.choice(sorted(counters)))
        start = clock()
        await asyncio.sleep(LOCKED_FOR)
        root.execute("ROLLBACK")
    end = clock()
    await asyncio.sleep(LOCKED_FOR - FOUND_AFTER)
    during = scene.ledger.counted(HOME, start + FOUND_AFTER, end)
    after = scene.ledger.counted(HOME, end, end + LOCKED_FOR - FOUND_AFTER)
    longest = max(r.ended - r.sent for r in scene.ledger.counted(HOME, start, end))
    scene.figures.append(
        f"one counter locked: {len(during)} views of the page were counted from {FOUND_AFTER} s on,"
        f" {len(after)} in the same time after that; the longest took {longest:.1f} s"
    )
    return 1


async def clock_set_back(scene: Scene, chance: Random) -> int:
    """Let the clock that statements see go back for a while, and then be right again.

    The server sets it for each new connection of an ordinary account: `init_connect`.
    """
    for _ in range(SET_BACK_FOR):
        back = chance.choice(BACK)
        await asyncio.to_thread(_set_clock, scene, f"SET timestamp = {time.time() - back:.0f}")
        await asyncio.sleep(chance.uniform(0.2, 1))
    await asyncio.to_thread(_set_clock, scene, "")
    return SET_BACK_FOR


def _set_clock(scene: Scene, statement: str) -> None:
    with scene.root() as root:
        root.execute("SET GLOBAL init_connect = %s", (statement,))
    scene.kill_connections()


def _rival(scene: Scene, heavy: list[bool]) -> int:
    # Counters that are hit together now: a writer locks them in the order of their names.
    many = next(r.hits for r in reversed(scene.ledger.requests) if len(r.hits) > 1)
    counters = sorted(hit.counter for hit in many)
    with scene.root() as root, scene.root() as looking:
        root.execute("CREATE TABLE IF NOT EXISTS ballast (n INT)")
        root.execute("SET SESSION innodb_lock_wait_timeout = 5")
        looking.execute(DEADLOCKS)
        ((before,),) = looking.fetchall()
        for weighty in heavy:
            root.execute("BEGIN")
            if weighty:
                rows = ",".join(["(1)"] * WEIGHT)
                root.execute(f"INSERT INTO ballast VALUES {rows}")  # noqa: S608 (of numbers)
            try:
                _lock(root, counters[-1])
                _wait_for_waiters(looking)
                _lock(root, counters[0])
            except pymysql.OperationalError as error:
                if error.args[0] not in (LOCK_DEADLOCK, LOCK_WAIT_TIMEOUT):
                    raise
            root.execute("ROLLBACK")
        looking.execute(DEADLOCKS)
        ((after,),) = looking.fetchall()
    return int(after) - int(before)


def _lock(cursor: "pymysql.cursors.Cursor", name: str) -> None:
    cursor.execute(
        "SELECT count FROM counter WHERE hour = %s AND name = %s FOR UPDATE", (ALL_HOURS, name)
    )


def _wait_for_waiters(cursor: "pymysql.cursors.Cursor") -> None:
    """Return once somebody has waited for a lock at two looks: not for a writer that goes on."""
    deadline, before = time.monotonic() + WAITS_FOR, 0
    while time.monotonic() < deadline:
        cursor.execute(WAITING)
        ((_, waits),) = cursor.fetchall()
        if int(waits) and before:
            return
        before = int(waits)
        time.sleep(0.02)

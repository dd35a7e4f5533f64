"""Runs that are killed, at moments of choice and at any: a sweep finds all that they left."""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from throwaway_mysql.databases.identity import lock_of
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.databases.sweep import sweep
from throwaway_mysql.databases.verdict import STEP
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import as_given, databases, wait_until
from throwaway_mysql.testing.relay import CutError, Relay

Start = Callable[..., tuple["subprocess.Popen[str]", str]]

ONE = """
import json, sys
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.databases.ownership import Run

login, prefix = json.loads(sys.stdin.readline())
with throwaway_database(Login(**login), "", Run.begin(prefix)):
    pass
"""
TWENTY = """
import json, sys
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.databases.ownership import Run

login, prefix = json.loads(sys.stdin.readline())
login, run = Login(**login), Run.begin(prefix)
print("begun", flush=True)
for number in range(20):
    with (
        throwaway_database(login, "", run) as coordinates,
        login.connect() as connection,
        connection.cursor() as cursor,
    ):
        table = f"{coordinates['DATABASE_NAME']}.t"
        cursor.execute(f"CREATE TABLE {table} (n INT)")
        cursor.execute(f"INSERT INTO {table} VALUES (7)")
        print(number, flush=True)
        for _ in range(20):
            cursor.execute(f"SELECT n FROM {table}")
            assert cursor.fetchall() == ((7,),)
print("done", flush=True)
sys.stdin.read()
"""
SWEEPS = """
import json, select, sys
from throwaway_mysql.login import Login
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.sweep import sweep

login, prefix = json.loads(sys.stdin.readline())
dropped = 0
print("begun", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    dropped += len(sweep(Login(**login), Run.begin(prefix)).dropped)
print(dropped)
"""
# The statements of a database's life, in order.
MOMENTS = ["GET_LOCK", "CREATE DATABASE", "CREATE OR REPLACE SQL", "view_definition", "DROP DATA"]


@pytest.fixture(autouse=True)
def not_just_started(mysql_root: Login) -> None:
    """Wait until it is plain that a run that begins now began after the server."""
    with Place(mysql_root) as place:
        wait_until(lambda: place.now > place.started + STEP)


@pytest.fixture
def user(account: Login, mysql_root: Login, prefix: str) -> Iterator[Login]:
    """Return the account, or in root's place one of the same rights that nobody else uses."""
    if account.user != "root":
        yield account
        return
    name, password = prefix.replace("_test_", "_all"), "of a test"
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name} IDENTIFIED BY '{password}'")
        cursor.execute(f"GRANT ALL ON *.* TO {name}")
        yield replace(mysql_root, user=name, password=password)
        cursor.execute(f"DROP USER {name}")


def all_ended(user: Login) -> bool:
    """Tell whether the server is done with what killed runs had sent."""
    with Place(user) as place:
        return [row[0] for row in place.rows("SHOW PROCESSLIST") if row[1] == user.user] == [
            place.id
        ]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("arrives", [False, True], ids=["unsent", "sent"])
async def test_what_a_run_left_that_was_killed_at(
    user: Login, prefix: str, moment: str, *, arrives: bool
) -> None:
    relay = Relay(user.host, user.port)
    held: list[bool] = []

    async def watch(packet: bytes, to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        if to_server and moment.encode() in packet and not held:
            name, *_ = re.findall(rf"{prefix}\w+".encode(), packet) or [b""]
            with Place(user) as place:
                lock = lock_of(name.decode(), prefix)
                held.append(bool(lock and place.value("SELECT IS_USED_LOCK(%s)", lock)))
            process.kill()
            await process.wait()
            if not arrives:
                raise CutError

    relay.watch = watch
    async with relay.open():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ONE, stdin=subprocess.PIPE
        )
        login = replace(user, host="127.0.0.1", port=relay.port)
        await process.communicate(json.dumps([as_given(login), prefix]).encode() + b"\n")
        assert process.returncode == -9
    assert held == [moment != "GET_LOCK"]  # before there is anything to own
    await asyncio.to_thread(wait_until, lambda: all_ended(user))  # meanwhile the relay closes
    left = {name for name in databases(user) if name.startswith(prefix)}
    if not arrives:
        assert len(left) == (moment not in MOMENTS[:2])
    assert set(sweep(user, Run.begin(prefix)).dropped) == left
    assert not [name for name in databases(user) if name.startswith(prefix)]


def run_workers(
    user: Login, prefix: str, start_run: Start, rng: random.Random
) -> list[tuple[int, str]]:
    """Run three workers one after the other, the first two killed; return how they ended."""
    ends = []
    for last in (False, False, True):
        moment, delay = rng.randrange(20), rng.random() / 50
        process, said = start_run(user, prefix, TWENTY)
        for said in process.stdout or ():
            if said == f"{moment}\n" and not last:
                time.sleep(delay)  # any moment is to have its turn
                process.kill()
            elif said == "done\n" and last:  # else it waits to be killed, however late that comes
                process.stdin.close()  # type: ignore[union-attr]  # a PIPE
        ends.append((process.wait(), said))
    return ends


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_eight_at_once_are_killed_at_any_moment_and_no_live_one_loses_its_own(
    user: Login, prefix: str, start_run: Start, seed: int
) -> None:
    sweeper, _ = start_run(user, prefix, SWEEPS)
    with ThreadPoolExecutor(8) as pool:
        ends = [
            end
            for ends in pool.map(
                lambda n: run_workers(user, prefix, start_run, random.Random(f"{seed} {n}")),  # noqa: S311
                range(8),
            )
            for end in ends
        ]
    assert ends[2::3] == [(0, "done\n")] * 8
    assert [status for status, _ in ends].count(0) == 8
    assert {status for status, _ in ends} == {0, -9}
    swept, _ = sweeper.communicate("\n")
    assert sweeper.returncode == 0
    wait_until(lambda: all_ended(user))
    last = sweep(user, Run.begin(prefix))
    assert last.stay == []
    assert int(swept) + len(last.dropped) > 0
    assert not [name for name in databases(user) if name.startswith(prefix)]

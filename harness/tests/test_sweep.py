"""What ended processes left is dropped, and nothing of a live one's or a person's is."""

import os
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.databases import exist, holding, made
from support.processes import running, wait_until
from support.sql import run

from throwaway_mysql.connections import rows
from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.owner import DAY, Liveness, Owner

# A process with databases of its own; argument by argument an account and a prefix.
MAKER = """
import signal, sys
from throwaway_mysql.databases import Databases
from throwaway_mysql.login import Login

login = Login.from_url(sys.argv[1])
databases = Databases(login, sys.argv[2])
"""
HOLDER = (
    MAKER
    + """
print(*[databases.create().name for _ in range(3)], flush=True)
signal.pause()
"""
)


def test_what_is_not_ours_is_never_dropped(databases: Databases, gone: Owner) -> None:
    prefix, login = databases.prefix, databases.login
    mine = prefix + "mine"
    for name in (mine, prefix + "x" * 8):
        run(login, "information_schema", f"CREATE DATABASE {name}")
    spared = Databases(login, prefix, spared=[gone.name(prefix, 1).upper()])
    made(databases, gone)
    live = made(databases, Owner.me(), 9)
    elsewhere = made(databases, gone._replace(machine="00000000", begun=gone.begun - 9))
    before = exist(login, prefix)
    assert spared.sweep(kept=True) == []
    for name in ("mysql", mine, gone.name(prefix, 1), "information_schema", elsewhere):
        with pytest.raises(ServerError, match=f"{name} is not dropped: "):
            spared.drop(name)
    other = databases.of(gone)
    with pytest.raises(ServerError, match=f"is not dropped: process {os.getpid()} runs"):
        other.drop(live)
    other.drop_all()
    assert before - exist(login, prefix) == {gone.name(prefix, 1)}
    for one in (spared, other):
        one.close()


def test_a_sweep_drops_what_ended_processes_left(databases: Databases, gone: Owner) -> None:
    old = gone._replace(machine="00000000", begun=gone.begun - 2 * DAY)
    left = {made(databases, one, number) for one in (gone, old) for number in (1, 2)}
    stays, live = made(databases, gone, 3), databases.create().name
    databases.keep(stays)
    states = {status.name: status.state for status in databases.survey()}
    expected = dict.fromkeys(left, Liveness.LEFT) | {stays: Liveness.KEPT, live: Liveness.LIVE}
    assert states == expected
    assert set(databases.sweep()) == left
    assert exist(databases.login, databases.prefix) == {stays, live}
    assert databases.sweep(kept=True) == [stays]
    assert databases.sweep(kept=True) == []
    assert exist(databases.login, databases.prefix) == {live}


def test_a_run_elsewhere_keeps_what_it_made_within_a_day_however_old_it_is(
    databases: Databases, gone: Owner
) -> None:
    old = gone._replace(machine="00000000", begun=gone.begun - 9 * DAY)
    name = made(databases, old)
    run(databases.login, name, "CREATE TABLE t (n INT)")
    assert databases.sweep() == []
    [status] = databases.survey()
    assert status.state is Liveness.UNSURE


def test_what_one_keeps_stays_after_its_end(databases: Databases) -> None:
    one, two = databases.create(), databases.create()
    databases.keep(one.name)
    databases.keep(one.name)
    databases.drop_all()
    assert exist(databases.login, databases.prefix) == {one.name}
    assert run(databases.login, one.name, "SHOW TABLES") == [("throwaway_kept",)]
    assert two.name


def test_nothing_of_ours_is_in_a_database(databases: Databases) -> None:
    database = databases.create()
    assert run(database.login, database.name, "SHOW TABLES") == []
    assert run(database.login, database.name, "SHOW TRIGGERS") == []


def test_a_frozen_clock_sweeps_nothing(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Owner(Owner.me().begun - 60, "00000000", 1, 1)
    names = {made(databases, far), databases.create().name}
    for moment in (0.0, 4e9):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        assert databases.sweep() == []
    assert exist(databases.login, databases.prefix) == names


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_a_second_sweep_at_once_does_nothing_and_many_drop_each_once(
    databases: Databases, gone: Owner
) -> None:
    names = [made(databases, gone, number) for number in range(1, 21)]
    with databases.login.connect() as other:
        rows(other, f"SELECT GET_LOCK('throwaway-mysql sweep {databases.prefix}', 0)")
        assert databases.sweep() == []
    others = [Databases(databases.login, databases.prefix) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        swept = list(pool.map(Databases.sweep, others))
    assert sorted(name for one in swept for name in one) == names
    for one in others:
        one.close()


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_one_that_cannot_go_does_not_save_the_others(
    databases: Databases, gone: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.connections.WAITS", (1, 1, 1))
    monkeypatch.setattr("throwaway_mysql.connections.kill", lambda *_: None)
    stuck, other = made(databases, gone, 1), made(databases, gone, 2)
    run(databases.login, stuck, "CREATE TABLE t (n INT)")
    with holding(databases.login, stuck, "BEGIN", "SELECT * FROM t"):
        assert databases.sweep() == [other]
    assert databases.sweep() == [stuck]


def test_a_live_process_keeps_its_own_and_a_killed_ones_are_swept(databases: Databases) -> None:
    url = databases.login.url()
    with (
        running(HOLDER, url, databases.prefix) as (live, names),
        running(HOLDER, url, databases.prefix) as (killed, left),
    ):
        assert databases.sweep(kept=True) == []
        killed.kill()
        killed.wait()
        assert databases.sweep() == sorted(left.split())
        assert exist(databases.login, databases.prefix) == set(names.split())
        live.send_signal(signal.SIGSTOP)
        assert databases.sweep() == []
    assert databases.sweep() == sorted(names.split())


# What is killed in the middle: each is done for ever, from when the first line is printed.
CREATES = (
    MAKER
    + """
print(flush=True)
while True:
    databases.create()
"""
)
DROPS = (
    MAKER
    + """
print(flush=True)
while True:
    name = databases.create().name
    with databases.connected("") as connection, connection.cursor() as cursor:
        for number in range(5):
            cursor.execute(f"CREATE TABLE {name}.t{number} (n INT)")
    databases.drop(name)
"""
)
TEMPLATES = (
    MAKER
    + """
import itertools
from throwaway_mysql.clone import Template
from throwaway_mysql.owner import Owner
from throwaway_mysql.schema import CallableSchema

def make(login, database):
    with login.connect() as connection, connection.cursor() as cursor:
        for number in range(9):
            cursor.execute(f"CREATE TABLE {database}.t{number} (n INT)")

print(flush=True)
while True:
    template = Template.make(databases, CallableSchema(make), Owner.me())
    template.copy(databases.create())
    databases.templates.clear()
    databases.drop_all()
"""
)


def connected(login: Login) -> int:
    """Count the connections of an account, but for the one that asks."""
    found = run(login, "information_schema", "SHOW PROCESSLIST")
    return len([row for row in found if row[1] == login.user]) - 1


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
@pytest.mark.parametrize("script", [CREATES, DROPS, TEMPLATES], ids=["create", "drop", "template"])
def test_what_is_killed_in_the_middle_leaves_only_what_a_sweep_drops(
    databases: Databases, script: str
) -> None:
    mine = databases.create().name
    for milliseconds in range(0, 50, 5):
        with (
            running(script, databases.login.url(), databases.prefix) as (process, _),
            pytest.raises(subprocess.TimeoutExpired),
        ):
            process.wait(milliseconds / 1000)
        wait_until(lambda: connected(databases.login) == 1)  # what was under way is done
        databases.sweep()
        assert exist(databases.login, databases.prefix) == {mine}
        assert databases.leaks == []

"""Sweeps drop what ended processes left, and nothing of a live process or a person."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.databases import exist, holding, made
from support.processes import running, wait_until
from support.sql import run

from throwaway_mysql.databases import Databases, Liveness
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.owner import DAY, Owner

# A process with its own databases; its arguments are an account and a prefix.
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
    live = made(databases, Owner.me(), 9)
    elsewhere = made(databases, gone._replace(machine="00000000", begun=gone.begun - 9))
    before = exist(login, prefix)
    assert databases.sweep(kept=True) == []
    for name in ("mysql", mine, "information_schema", live, elsewhere):
        with pytest.raises(ServerError, match=f"{name} is not dropped: "):
            databases.of(gone).drop(name)
    made(databases, gone)
    databases.of(gone).drop_all()
    assert exist(login, prefix) == before


def test_a_sweep_drops_what_ended_processes_left(
    databases: Databases, gone: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    recent = gone._replace(machine="00000000", begun=gone.begun - 60)
    old = recent._replace(begun=gone.begun - 2 * DAY)
    left = {made(databases, one, number) for one in (gone, old) for number in (1, 2)}
    stays, live, unsure = made(databases, gone, 3), databases.create().name, made(databases, recent)
    works = made(databases, old, 3)  # and has made a table today
    run(databases.login, works, "CREATE TABLE t (n INT)")
    for _ in range(2):
        databases.keep(stays)
    databases.keep(live)
    states = {status.name: status.state for status in databases.survey()}
    assert states == dict.fromkeys(left, Liveness.LEFT) | {
        stays: Liveness.KEPT,
        live: Liveness.LIVE,
        **dict.fromkeys((unsure, works), Liveness.UNSURE),
    }
    monkeypatch.setattr("time.time", lambda: 4e9)  # a frozen clock
    assert set(databases.sweep()) == left
    assert databases.sweep() == []
    assert databases.sweep(kept=True) == [stays]
    databases.drop_all()  # except kept ones
    assert exist(databases.login, databases.prefix) == {live, unsure, works}


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_many_sweeps_at_once_leave_nothing(databases: Databases, gone: Owner) -> None:
    for number in range(20):
        made(databases, gone, number)
    others = [Databases(databases.login, databases.prefix) for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(Databases.sweep, others * 2))  # each by two threads
    assert exist(databases.login, databases.prefix) == set()


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


# A process to kill in the middle: after its first line of output it loops forever.
WORKS = (
    MAKER
    + """
from throwaway_mysql.clone import Template
from throwaway_mysql.owner import Owner
from throwaway_mysql.schema import CallableSchema

def make(login, database):
    with login.connect() as connection, connection.cursor() as cursor:
        for number in range(5):
            cursor.execute(f"CREATE TABLE {database}.t{number} (n INT)")

print(flush=True)
while True:
    template = Template.make(databases, CallableSchema(make), Owner.me())
    template.copy(copy := databases.create())
    databases.drop(copy.name)
    databases.templates.clear()
    databases.drop_all()
"""
)


def connected(login: Login) -> int:
    """Count an account's other connections."""
    found = run(login, "information_schema", "SHOW PROCESSLIST")
    return len([row for row in found if row[1] == login.user]) - 1


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_what_is_killed_in_the_middle_leaves_only_what_a_sweep_drops(databases: Databases) -> None:
    mine = databases.create().name
    for milliseconds in range(0, 100, 4):
        with (
            running(WORKS, databases.login.url(), databases.prefix) as (process, _),
            pytest.raises(subprocess.TimeoutExpired),
        ):
            process.wait(milliseconds / 1000)
        wait_until(lambda: connected(databases.login) == 1)  # its last statement is done
        databases.sweep()
        assert exist(databases.login, databases.prefix) == {mine}
        assert databases.leaks == []

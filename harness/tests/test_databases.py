"""Throwaway databases: made, dropped with all that uses them, kept, swept, and never another's."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor
from support.processes import running, wait_until
from support.sql import run

from throwaway_mysql.connections import rows, users
from throwaway_mysql.databases import Database, Databases, throwaway_database
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.owner import DAY, Liveness, Owner
from throwaway_mysql.server import Server
from throwaway_mysql.tls import Tls

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


@pytest.fixture
def gone() -> Owner:
    """Return a process that has ended."""
    return Owner.me()._replace(started=1)


def exist(login: Login, prefix: str) -> set[str]:
    found = run(login, "information_schema", "SHOW DATABASES")
    return {name for (name,) in found if name.startswith(prefix)}


def made(databases: Databases, owner: Owner, number: int = 1) -> str:
    """Make a database of another process."""
    return databases.of(owner).create(number=number).name


def test_a_database_is_what_its_settings_lead_to(databases: Databases) -> None:
    one, two = databases.create(), databases.create("second")
    assert one.name != two.name
    run(one.login, one.name, "CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1)")
    assert run(one.login, one.name, "SELECT * FROM t") == [(1,)]
    assert one.environ()["DB_PORT"] == str(databases.login.port)
    assert one.url() == databases.login.url("mysql", one.name)
    assert Login.from_url(one.url("aiomysql")).database == one.name
    databases.drop(one.name)
    assert exist(databases.login, databases.prefix) == {two.name}
    databases.drop(one.name)  # is gone already
    databases.drop_all()
    assert exist(databases.login, databases.prefix) == set()


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_settings_stay_settings_where_they_are_merged_and_show_no_password(account: Login) -> None:
    database = Database.of(account, "a")
    for merged in (database | {"DEBUG": True}, {"DEBUG": True} | database):
        assert isinstance(merged, Database)
        assert merged["DEBUG"]
        assert merged.name == "a"
    assert account.password not in repr(database)
    tls = Tls("preferred")
    there = Login("127.0.0.1", 1, "me", "secret", tls=tls)
    assert Database.of(there, "a").login == there


def test_outside_of_fixtures_a_database_lasts_as_long_as_its_block(
    account: Login, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with throwaway_database(account, prefix) as one:
        with throwaway_database(account, prefix, "two") as two:
            run(account, two.name, "CREATE TABLE t (n INT)")
            assert exist(account, prefix) == {one.name, two.name}
            forgotten = account.connect()
            rows(forgotten, f"LOCK TABLES {two.name}.t WRITE")
            forgotten.select_db(two.name)
        assert exist(account, prefix) == {one.name}
    assert exist(account, prefix) == set()
    assert f"a leak: {two.name} (of two): connection" in caplog.text


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[Server]:
    """Start a server that is of this module alone, with names in lower case and all locks shown."""
    flags = ["--lower-case-table-names=1", "--performance-schema=ON"]
    flags += ["--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON"]
    with Server(mysql_program, flags=flags) as server:
        yield server


@pytest.mark.parametrize("collation", ["latin1_bin", "utf8mb4_unicode_ci"])
def test_every_database_is_of_utf8mb4(server: Server, collation: str) -> None:
    run(server.root, "mysql", f"SET GLOBAL collation_server = {collation}")
    with throwaway_database(server.root) as database:
        query = "SELECT @@character_set_database, @@collation_database"
        [(charset, found)] = run(server.root, database.name, query)
    assert charset == "utf8mb4"
    assert (found == collation) == collation.startswith("utf8mb4")


def test_engines_that_keep_connections_do_not_fill_the_server(databases: Databases) -> None:
    """As tests do that make an engine each and never dispose of it."""
    names, pools = [], []
    for _ in range(20):
        database = databases.create("test_it.py")
        names.append(database.name)
        pool = [database.login.connect() for _ in range(3)]
        for connection in pool:
            connection.select_db(database.name)
        pools.append(pool)
        databases.drop(database.name)
    with databases.connected("") as connection:
        wait_until(lambda: not any(users(connection, name) for name in names))
    for connection in (connection for pool in pools for connection in pool):
        with pytest.raises(pymysql.MySQLError):
            connection.ping(reconnect=False)
    assert databases.leaks == []


@contextmanager
def holding(login: Login, name: str, *statements: str) -> Iterator[int]:
    """Keep locks in a database; yields the connection's id."""
    with login.connect() as connection:
        connection.select_db(name)
        for statement in statements:
            rows(connection, statement)
        yield int(connection.thread_id())  # type: ignore[no-untyped-call]
        connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001


@pytest.mark.parametrize(
    "statements",
    [
        ["BEGIN", "SELECT * FROM t"],
        ["LOCK TABLES t WRITE"],
        ["BEGIN", "INSERT INTO t VALUES (1)"],
    ],
    ids=["read", "locked", "written"],
)
def test_who_holds_locks_is_ended_and_named_with_what_the_database_was_for(
    databases: Databases, statements: list[str]
) -> None:
    database = databases.create("tests/test_shop.py")
    run(databases.login, database.name, "CREATE TABLE t (n INT)")
    with holding(databases.login, database.name, *statements) as number:
        databases.drop(database.name)
        assert exist(databases.login, databases.prefix) == set()
        [leak] = databases.leaks
        of = f"{database.name} (of tests/test_shop.py): connection {number} of "
        assert leak.startswith(of + databases.login.user)


def test_who_holds_locks_from_another_database_is_ended_where_the_server_tells(
    server: Server,
) -> None:
    databases = Databases(server.root, "shop_test_")
    name = databases.create().name
    run(server.root, name, "CREATE TABLE t (n INT)")
    with holding(server.root, name, "BEGIN", "SELECT * FROM t", "USE mysql") as number:
        databases.drop(name)
    [leak] = databases.leaks
    assert f"connection {number} " in leak
    databases.close()


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_one_that_holds_nothing_is_no_leak(databases: Databases) -> None:
    database = databases.create()
    run(databases.login, database.name, "CREATE TABLE t (n INT)")
    with (
        holding(databases.login, database.name, "SELECT * FROM t"),
        holding(databases.login, database.name, "BEGIN", "SELECT * FROM t") as number,
    ):
        databases.drop(database.name)
    [leak] = databases.leaks
    assert f"connection {number} " in leak


def test_locks_of_a_person_whom_the_account_may_not_end_are_one_line(
    mysql_root: Login, narrow: Login, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.connections.WAITS", (1, 1, 1))
    databases = Databases(narrow, prefix)
    name = databases.create().name
    run(narrow, name, "CREATE TABLE t (n INT)")
    with (
        holding(mysql_root, name, "BEGIN", "SELECT * FROM t"),
        pytest.raises(ServerError, match=f"a transaction that {narrow.user} cannot see or"),
    ):
        databases.drop(name)
    databases.drop(name)
    databases.close()


class Hasty(Login):
    """An account that gives the server a second for all that is not known to take long."""

    def connect(self, timeout: float = 1, client_flag: int = 0) -> "Connection[Cursor]":
        """Return a connection as Login.connect() does."""
        return super().connect(timeout, client_flag)


def test_a_drop_may_take_longer_than_other_statements(
    narrow: Login, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.connections.WAITS", (3, 1, 1))
    hasty = Hasty(narrow.host, narrow.port, narrow.user, narrow.password, narrow.unix_socket)
    databases = Databases(hasty, prefix)
    name = databases.create().name
    run(narrow, name, "CREATE TABLE t (n INT)")
    with holding(narrow, name, "BEGIN", "SELECT * FROM t"):
        databases.drop(name)
    assert len(databases.leaks) == 1
    with (
        pytest.raises(ServerError, match=r"no look at .*: Lost connection"),
        databases.connected("no look at the server") as connection,
    ):
        rows(connection, "DO SLEEP(3)")
    databases.close()


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


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_a_forked_child_cannot_harm_its_parents(databases: Databases) -> None:
    name = databases.create().name
    if not (pid := os.fork()):
        try:
            databases.drop(name)
        except ServerError:
            Databases(databases.login, databases.prefix).drop_all()
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert exist(databases.login, databases.prefix) == {name}
    databases.drop(name)


def test_it_goes_on_after_the_server_was_restarted(server: Server) -> None:
    databases = Databases(server.root, "shop_test_")
    name = databases.create().name
    server.stop(signal.SIGKILL)
    with pytest.raises(ServerError, match="no server answers"):
        databases.create()
    server.start()
    databases.drop(name)
    assert exist(server.root, "shop_test_") == set()
    databases.close()


def test_on_a_server_that_keeps_names_in_lower_case_all_is_the_same(
    server: Server, gone: Owner
) -> None:
    databases = Databases(server.root, "shop_test_", spared=["SHOP"])
    left, mine = made(databases, gone), databases.create().name
    assert databases.sweep() == [left]
    databases.keep(mine)
    databases.drop_all()
    assert exist(server.root, "shop_test_") == {mine}
    databases.drop(mine)
    databases.close()


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_what_the_server_refuses_is_one_line(account: Login, narrow: Login, prefix: str) -> None:
    elsewhere = Databases(narrow, "elsewhere_test_")
    with pytest.raises(ServerError, match=r"^elsewhere_test_\w+ was not made at .*: Access denied"):
        elsewhere.create()
    elsewhere.close()
    wrong = Databases(Login(account.host, account.port, "nobody", "no"), prefix)
    with pytest.raises(ServerError, match="refused nobody"):
        wrong.sweep()


def test_a_server_elsewhere_is_used_only_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Login("db.example.org", 3306, "me", "secret")
    monkeypatch.delenv("THROWAWAY_MYSQL_REMOTE", raising=False)
    with pytest.raises(ServerError, match=r"set THROWAWAY_MYSQL_REMOTE=db\.example\.org"):
        Databases(there, "shop_test_")
    monkeypatch.setenv("THROWAWAY_MYSQL_REMOTE", "a,db.example.org")
    Databases(there, "shop_test_")

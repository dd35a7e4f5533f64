"""A run's lock on a server: there as long as the run lives, and no longer."""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.identity import lock_of
from throwaway_mysql.databases.ownership import AGAIN, Run, RunLock, default_run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import WITHIN, databases, wait_until

Start = Callable[..., tuple["subprocess.Popen[str]", str]]

LOCK = f"test {secrets.token_hex(8)}"  # other machines use the server, too
SOON = 0.02  # seconds
NEVER = 3600.0


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[RunServer]:
    """Start a server that tests restart."""
    with closing(RunServer(mysql_program)) as server:
        yield server


def holder(login: Login, lock: str = LOCK) -> int | None:
    """Return which connection has a lock."""
    with Place(login) as place:
        number: int | None = place.value("SELECT IS_USED_LOCK(%s)", lock)
        return number


def kill(login: Login, connection: int) -> None:
    """End a connection, and wait until it has ended."""
    with Place(login) as place:
        place.rows(f"KILL {connection}")
        wait_until(lambda: connection not in [row[0] for row in place.rows("SHOW PROCESSLIST")])


def test_it_is_held_until_it_is_closed(account: Login) -> None:
    lock = RunLock(account, LOCK)
    assert holder(account) == lock.id
    lock.close()
    wait_until(lambda: holder(account) is None)


def test_it_is_free_as_soon_as_its_process_is_killed(
    account: Login, prefix: str, start_run: Start
) -> None:
    process, name = start_run(account, prefix)
    assert holder(account, lock_of(name, prefix))
    process.kill()
    wait_until(lambda: holder(account, lock_of(name, prefix)) is None)


def test_it_comes_back_at_once_where_its_connection_is_lost(account: Login) -> None:
    with closing(RunLock(account, LOCK, ping=NEVER)) as lock:
        for _ in range(2):  # its second connection is watched as well
            ended = lock.id
            kill(account, ended)
            wait_until(lambda: holder(account) == lock.id)
            assert lock.id != ended


def test_close_ends_its_thread_and_waits_for_no_ping(account: Login) -> None:
    before = set(threading.enumerate())
    lock = RunLock(account, LOCK, ping=NEVER)
    [thread] = set(threading.enumerate()) - before
    lock.close()
    thread.join(WITHIN)
    assert not thread.is_alive()
    lock.close()


def test_it_is_freed_once_a_server_goes_on_that_was_frozen_at_close(server: RunServer) -> None:
    lock = RunLock(server.root, LOCK, ping=SOON)
    server.freeze()
    try:
        lock.close()
    finally:
        server.thaw()
    wait_until(lambda: holder(server.root) is None)
    lock.close()  # a second time, and not gone until here


def test_a_lost_server_is_not_asked_all_the_time(
    server: RunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []
    take = RunLock._take  # noqa: SLF001

    def noted(lock: RunLock) -> None:
        if lock is lost:  # and not one that another test has left without a server
            tried.append(time.monotonic())
        take(lock)

    with closing(RunLock(server.root, LOCK, ping=NEVER)) as lost:
        monkeypatch.setattr(RunLock, "_take", noted)
        server.stop(signal.SIGKILL)
        wait_until(lambda: len(tried) >= 4)
        server.start()
        wait_until(lambda: holder(server.root))
    assert tried[3] - tried[0] >= AGAIN * (1 + 2 + 4)


def test_it_comes_back_after_a_restart_of_the_server(server: RunServer) -> None:
    with closing(RunLock(server.root, LOCK, ping=SOON)):
        server.stop(signal.SIGKILL)
        server.start()
        wait_until(lambda: holder(server.root))


def test_it_is_there_again_before_another_database_is_made(account: Login, prefix: str) -> None:
    with closing(Run.begin(prefix)) as run:
        run.hold(account)
        kill(account, holder(account, run.lock) or 0)
        with throwaway_database(account, "", run):
            assert holder(account, run.lock)


def taken_while_idle_ones_end_after(seconds: int, login: Login) -> RunLock:
    """Take the lock on a server that, for now, ends idle connections after so many seconds."""
    locks: list[RunLock] = []

    def is_taken() -> bool:
        with suppress(ServerError):  # on a busy machine it may be idle for so long at its login
            locks.append(RunLock(login, LOCK, ping=NEVER))
        return bool(locks)

    with Place(login) as place:  # from before
        place.rows(f"SET GLOBAL wait_timeout = {seconds}")
        try:
            wait_until(is_taken)
        finally:
            place.rows("SET GLOBAL wait_timeout = 600")
    return locks[0]


def test_a_server_that_ends_idle_connections_leaves_it(server: RunServer) -> None:
    with (
        closing(taken_while_idle_ones_end_after(2, server.root)) as lock,
        Place(server.root) as place,
        Place(server.root) as idle,
    ):
        first, number = lock.id, idle.id
        idle.rows("SET SESSION wait_timeout = 2")
        wait_until(lambda: number not in [row[0] for row in place.rows("SHOW PROCESSLIST")])
        assert place.value("SELECT IS_USED_LOCK(%s)", LOCK) == first


def test_one_that_another_has_is_one_clear_error(
    account: Login, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.databases.ownership.TAKEN_WITHIN", 0)
    with closing(Run.begin(prefix)) as run:
        run.hold(account)
        with pytest.raises(ServerError, match=r"another has it: begin a run of its own") as error:
            Run.begin(prefix, token=run.token).hold(account)
        assert len(str(error.value).splitlines()) == 1


def test_one_is_enough_for_a_server_with_two_addresses_and_two_accounts(
    account: Login, mysql_root: Login, prefix: str
) -> None:
    other = replace(mysql_root, host="localhost")
    with closing(Run.begin(prefix)) as run:
        run.hold(account)
        first = holder(account, run.lock)
        run.hold(other)
        assert holder(account, run.lock) == first
    wait_until(lambda: holder(account, run.lock) is None)


def test_a_forked_process_neither_drops_nor_frees_what_its_parent_has(
    account: Login, prefix: str
) -> None:
    with (
        closing(Run.begin(prefix)) as run,
        throwaway_database(account, "", run) as coordinates,
    ):
        lock = holder(account, run.lock)
        child = os.fork()
        if not child:
            status = 1
            try:
                assert not run.owns(coordinates["DATABASE_NAME"])
                run.close()
                with pytest.raises(ServerError, match="begin a run of its own"):
                    run.hold(account)
                with throwaway_database(account, prefix.removesuffix("_test_")) as own:
                    assert own["DATABASE_NAME"] in databases(account)
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert lock
        assert holder(account, run.lock) == lock
        assert coordinates["DATABASE_NAME"] in databases(account)


def test_a_process_has_one_run_for_a_prefix() -> None:
    assert default_run("one_test_") is default_run("one_test_")
    assert default_run("one_test_") is not default_run("other_test_")

"""Why the server of a run has ended: its guard is waited for, which says so."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing

import pytest

from throwaway_mysql.login import LoginError
from throwaway_mysql.servers import shared
from throwaway_mysql.servers.hold import await_guard
from throwaway_mysql.servers.shared import Home, SharedLogin, shared_login
from throwaway_mysql.testing.looking import guards, is_stopped, wait_until

ENDED = "the private server of this run has ended"
LATE = 2.5  # seconds


@pytest.fixture
def login(mysql_program: str) -> Iterator[SharedLogin]:
    """Start a server for a run; it ends with the test."""
    with closing(Home()) as home:
        yield shared_login(home.folder, mysql_program)


def kill_server(login: SharedLogin) -> None:
    """Kill the server."""
    os.kill(int((login.folder / "data/mysqld.pid").read_text()), signal.SIGKILL)


def test_a_guard_that_is_late_is_waited_for(login: SharedLogin) -> None:
    [guard] = guards(login.folder)
    os.kill(guard, signal.SIGSTOP)
    wait_until(lambda: is_stopped(guard))
    with ThreadPoolExecutor() as pool:
        try:
            kill_server(login)
            connecting = pool.submit(login.connect)
            assert not wait([connecting], LATE).done
        finally:
            os.kill(guard, signal.SIGCONT)
        with pytest.raises(LoginError, match=rf"^{ENDED}: \[ERROR\] it was ended by signal 9$"):
            connecting.result()


def test_a_guard_that_was_killed_is_not_waited_for(
    login: SharedLogin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "LAST_WORDS_WITHIN", float("inf"))
    [guard] = guards(login.folder)
    os.kill(guard, signal.SIGKILL)
    await_guard(login.folder)
    kill_server(login)
    with pytest.raises(LoginError, match=f"^{ENDED}: "):
        login.connect()

"""A run owns what it made: a lock on the server says so as long as the process lives."""

import atexit
import contextlib
import os
import select
import socket
import threading
from collections.abc import Collection

import pymysql

from throwaway_mysql import ServerError
from throwaway_mysql.databases.identity import MOST_NUMBER, Maker, Name, check, lock_name, new_token
from throwaway_mysql.databases.journal import Journal
from throwaway_mysql.databases.place import Place, reason
from throwaway_mysql.login import Login

PING = 30.0  # seconds
MOST_IDLE = 2_147_483  # seconds, the most that wait_timeout can be on every system
AGAIN = 0.05  # seconds after which a lost lock is tried again; each pause is twice the last
TAKEN_WITHIN = 10  # seconds; a sweep may have the lock for a moment


class RunLock:
    """The lock `name` on a server, from now until close(), or the end of this process.

    It has a connection of its own, which is made anew as soon as it ends: until then a sweep
    takes the run for an ended one. Each `ping` seconds it is tried as well. Raises ServerError
    where another has the lock. On a server whose locks mean nothing none is taken.
    """

    def __init__(self, login: Login, name: str, ping: float = PING) -> None:
        self._login, self._name, self._ping = login, name, ping
        self._place: Place | None = None
        self._alone = threading.Lock()
        self._closed = threading.Event()
        self._take()
        self._waker, self._woken = socket.socketpair()
        for end in (self._waker, self._woken):
            end.settimeout(0)
        self._thread = threading.Thread(target=self._keep, daemon=True, name=name)
        self._thread.start()

    @property
    def id(self) -> int:
        """The server's number for the connection."""
        return self._place.id if self._place else 0

    def hold(self) -> None:
        """Make sure that the lock is held."""
        with self._alone:
            if not self._held():
                self._take()
                self._wake()  # to watch the new connection

    def close(self) -> None:
        """Free the lock."""
        self._closed.set()
        self._wake()
        self._thread.join(1)  # it may be waiting for a server that is frozen

    def _held(self) -> bool:
        if not self._place:
            return False
        try:
            return bool(
                self._place.declared
                or self._place.value("SELECT IS_USED_LOCK(%s) = CONNECTION_ID()", self._name)
            )
        except (pymysql.MySQLError, OSError):
            return False

    def _take(self) -> None:
        if self._place:
            self._place.close()
        self._place = Place(self._login)
        try:
            self._place.rows(f"SET SESSION wait_timeout = {MOST_IDLE}")
            got = self._place.declared or self._place.value(
                "SELECT GET_LOCK(%s, %s)", self._name, TAKEN_WITHIN
            )
        except pymysql.MySQLError as error:
            problem = reason(error)
        else:
            if got:
                return
            problem = "another has it: begin a run of its own for each process"
        self._place.close()
        raise ServerError(f"no lock '{self._name}' at {self._login.address}: {problem}")

    def _keep(self) -> None:
        with self._waker, self._woken:
            pause, again = self._ping, AGAIN
            while not self._closed_within(pause):
                try:
                    self.hold()
                    pause, again = self._ping, AGAIN
                except (ServerError, pymysql.MySQLError, OSError):  # the next time
                    pause, again = min(again, self._ping), min(2 * again, self._ping)
            if self._place:
                self._place.close()

    def _closed_within(self, seconds: float) -> bool:
        """Return, after so long or as soon as there is news, whether close() was called."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        with self._alone:
            if self._place and self._place.connection.open and not self._place.declared:
                # What the server says unasked is that it ends the connection.
                poll.register(self._place.connection._sock, select.POLLIN)  # type: ignore[attr-defined]  # noqa: SLF001
        poll.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(100)
        return self._closed.is_set()

    def _wake(self) -> None:
        """End the thread's wait."""
        with contextlib.suppress(OSError):  # the thread has ended
            self._waker.send(b"!")


class Run:
    """One process of a test run: names its databases, and holds its lock on each server.

    `made` are the databases that it has made and not dropped, `leaks` one line for each
    connection that a drop had to end, which `journal` lets name its test. `spared` are never
    dropped, whatever they are called.
    """

    def __init__(self, prefix: str, token: str, worker: str, spared: Collection[str]) -> None:
        check(prefix, token, worker)
        self.prefix, self.token, self.worker = prefix, token, worker
        self.spared = frozenset(spared)
        self.maker = Maker.me()
        self.made: set[str] = set()
        self.leaks: list[str] = []
        self.journal = Journal()
        self._number = 0
        self._alone = threading.Lock()
        self._locks: dict[tuple[str, int, str | None], RunLock] = {}

    @classmethod
    def begin(
        cls,
        prefix: str,
        worker: str = "main",
        token: str | None = None,
        spared: Collection[str] = (),
    ) -> "Run":
        """Begin a run, or as `worker` join the one that has this `token`.

        Raises ServerError where database names cannot be made of these.
        """
        return cls(prefix, token or new_token(), worker, spared)

    def next_name(self) -> str:
        """Return a database's name that nobody else takes."""
        with self._alone:
            self._number += 1
            if self._number > MOST_NUMBER:
                raise ServerError(f"a run makes at most {MOST_NUMBER} databases: begin another")
            return str(Name(self.prefix, self.token, self.worker, self._number))

    def owns(self, name: str) -> bool:
        """Tell whether this very process made a database, and not one that it was forked from."""
        return name in self.made and os.getpid() == self.maker.pid

    def hold(self, login: Login) -> None:
        """Hold this worker's lock on a server."""
        if os.getpid() != self.maker.pid:  # else two processes would share its connection
            raise ServerError("this process was forked from the run's: begin a run of its own")
        address = login.host, login.port, login.unix_socket
        with self._alone:
            if address not in self._locks:
                self._locks[address] = self._known(login) or RunLock(login, self.lock)
            self._locks[address].hold()

    @property
    def lock(self) -> str:
        """The name of this worker's lock."""
        return lock_name(self.token, self.worker)

    def close(self) -> None:
        """Free the locks; those of a process that was forked from this one are not its own."""
        if os.getpid() == self.maker.pid:
            for lock in set(self._locks.values()):
                lock.close()
            self._locks.clear()

    def _known(self, login: Login) -> RunLock | None:
        """Return the lock that is held already on a server that has several addresses."""
        if not self._locks:
            return None
        with Place(login) as place:
            holder = None if place.declared else place.value("SELECT IS_USED_LOCK(%s)", self.lock)
        return next((lock for lock in self._locks.values() if lock.id == holder), None)


_runs: dict[tuple[int, str], Run] = {}


def default_run(prefix: str, spared: Collection[str] = ()) -> Run:
    """Return this process's run for a prefix, which ends with the process."""
    key = os.getpid(), prefix
    return _runs.get(key) or _runs.setdefault(key, Run.begin(prefix, spared=spared))


@atexit.register
def _close_all() -> None:
    for run in _runs.values():
        run.close()

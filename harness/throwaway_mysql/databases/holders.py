"""Who uses a database, and keeps others waiting with an open transaction."""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pymysql

from throwaway_mysql.databases.journal import Journal
from throwaway_mysql.databases.place import Place

SHOWN = 200  # signs of a query
# Seconds that a statement waits for locks: of a transaction that may just end (no server
# knows less), of the killed ones that were known to have some, and of all others.
LOCK_WAITS = (1, 2, 5)
LOCKED = (1205, 1213)  # waited too long, or was chosen to end a deadlock
# What a connection does, or did last; where the server keeps no such record, there is none.
LAST = """
SELECT sql_text FROM performance_schema.events_statements_current
JOIN performance_schema.threads USING (thread_id) WHERE processlist_id = %s
"""
# Of every database, where SHOW PROCESSLIST tells only of connections that have it as theirs.
METADATA = """
SELECT DISTINCT processlist_id FROM performance_schema.metadata_locks
JOIN performance_schema.threads ON owner_thread_id = thread_id
WHERE object_schema = %s AND lock_status = 'GRANTED' AND processlist_id <> CONNECTION_ID()
"""
# Seconds since a connection began its transaction, and one more at most: it is told in whole
# ones, of the system's clock. Needs the privilege PROCESS.
SECONDS_BEGUN = """
SELECT trx_mysql_thread_id, TIMESTAMPDIFF(MICROSECOND, trx_started,
  CONVERT_TZ(NOW(6), @@session.time_zone, 'SYSTEM')) / 1e6
FROM information_schema.innodb_trx
"""
# MariaDB's, in thousandths of a second.
SECONDS_IDLE = "SELECT time_ms / 1000 FROM information_schema.processlist WHERE id = %s"
EXACT = 0.05  # seconds; an answer that took longer, on a busy machine, is asked for again
MOST_LOOKS = 10

Row = tuple[Any, ...]
Window = tuple[float, float]  # two times of time.monotonic()


class Connection(NamedTuple):
    """A connection to the server, as SHOW PROCESSLIST tells of it.

    `seen` is when it did, `begun` when its transaction began, where that is known.
    """

    id: int
    user: str
    host: str
    database: str | None
    command: str
    seconds: int
    query: str | None
    seen: Window
    begun: Window | None = None

    def __str__(self) -> str:
        return f"connection {self.id} of {self.user}@{self.host}"


def connections(place: Place, database: str) -> list[Connection]:
    """Return whose default database it is: of the account's own, without the privilege PROCESS."""
    return [other for other in _all(place) if other.database == database]


def holders(place: Place, database: str) -> list[Connection]:
    """Return who is seen to have locks in a database."""
    ids = {row[0] for row in _if_told(place, METADATA, database)}
    told, (before, now) = _timed(lambda: _if_told(place, SECONDS_BEGUN))
    begun = {number: (before - float(ago), now - float(ago) + 1) for number, ago in told}
    return [
        other._replace(begun=begun.get(other.id))
        for other in _all(place)
        if other.id in ids
        or (other.database == database and (other.id in begun or other.command != "Sleep"))
    ]


def insist(place: Place, database: str, journal: Journal, do: Callable[[], object]) -> list[str]:
    """Do what waits for locks in a database, and end the connections that have them.

    First those that are seen to have some, then all that use the database. Returns one line for
    each. Raises what `do` does, such as pymysql.OperationalError(1205) where nobody is seen.
    """
    leaks: list[str] = []
    for wait, who in zip(LOCK_WAITS, (None, holders, connections), strict=True):
        others = [other for other in who(place, database) if other.id != place.id] if who else []
        if who and not others:
            continue
        leaks += [
            f"{journal.of(database)}: {end(place, other, journal, database)}" for other in others
        ]
        wait_for_locks(place, wait)
        try:
            do()
        except pymysql.OperationalError as error:
            if error.args[0] not in LOCKED:
                raise
            failure = error
        else:
            return leaks
    try:
        raise failure
    finally:
        del failure  # else it and this frame keep each other, and a socket open


def wait_for_locks(place: Place, seconds: int = LOCK_WAITS[0]) -> None:
    """Let the connection's statements fail, with one of LOCKED, that wait for a lock so long."""
    names = ("lock_wait_timeout", "innodb_lock_wait_timeout")
    place.rows(f"SET SESSION {', '.join(f'{name} = {seconds}' for name in names)}")


def end(place: Place, holder: Connection, journal: Journal, database: str) -> str:
    """Kill a connection; return one line about what it did, and the test that left it so."""
    query = (holder.query or _last(place, holder))[:SHOWN]
    did = "with an open transaction" if holder.begun else "perhaps with locks"
    left = journal.culprit(database, _windows(place, holder))
    with contextlib.suppress(pymysql.MySQLError):  # it has just ended
        place.rows(f"KILL {holder.id}")
    return f"{holder}, for {holder.seconds} s {f'with {query!r}' if query else did}{left}"


def _windows(place: Place, holder: Connection) -> list[Window]:
    """Return between which times it began what it does, by each clue."""
    before, now = holder.seen
    whole = (before - holder.seconds - 1, now - holder.seconds + 1)
    exact = _idle_since(place, holder) or whole
    return [holder.begun, exact] if holder.begun else [exact]


def _idle_since(place: Place, holder: Connection) -> Window | None:
    """Return between which times a connection did its last, from the quickest answer."""
    looks: list[Window] = []
    while len(looks) < MOST_LOOKS:
        told, (before, now) = _timed(lambda: _if_told(place, SECONDS_IDLE, holder.id))
        if not told:
            return None
        ago = float(told[0][0])
        looks.append((before - ago, now - ago))
        if now - before < EXACT:
            break
    return min(looks, key=lambda look: look[1] - look[0])


def _timed(look: Callable[[], Sequence[Row]]) -> tuple[Sequence[Row], Window]:
    """Return what a look finds, and between which times it was taken."""
    before = time.monotonic()
    found = look()
    return found, (before, time.monotonic())


def _all(place: Place) -> list[Connection]:
    found, seen = _timed(lambda: place.rows("SHOW FULL PROCESSLIST"))
    return [Connection._make((*row[:6], row[7], seen, None)) for row in found]


def _last(place: Place, holder: Connection) -> str:
    return "; ".join(text for (text,) in _if_told(place, LAST, holder.id) if text)


def _if_told(place: Place, query: str, *values: object) -> Sequence[Row]:
    """Return a query's rows; none where there is no such table, or no right to it."""
    with contextlib.suppress(pymysql.MySQLError):
        return place.rows(query, *values)
    return []

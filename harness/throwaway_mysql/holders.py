"""Who uses a database, and keeps DROP waiting with an open transaction."""

import contextlib
from typing import NamedTuple

import pymysql

from throwaway_mysql.place import Place

SHOWN = 200  # signs of a query
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


class Connection(NamedTuple):
    """A connection to the server, as SHOW PROCESSLIST tells of it."""

    id: int
    user: str
    host: str
    database: str | None
    command: str
    seconds: int
    query: str | None

    def __str__(self) -> str:
        return f"connection {self.id} of {self.user}@{self.host}"


def connections(place: Place, database: str) -> list[Connection]:
    """Return whose default database it is, as far as the account may see."""
    return [other for other in _all(place) if other.database == database]


def holders(place: Place, database: str) -> list[Connection]:
    """Return who may have locks in a database, as far as the account may see."""
    ids: set[int] = set()
    with contextlib.suppress(pymysql.MySQLError):  # no such table, or no right to it
        ids = {row[0] for row in place.rows(METADATA, database)}
    return [other for other in _all(place) if other.id in ids or other.database == database]


def end(place: Place, holder: Connection) -> str:
    """Kill a connection; return one line about what it did."""
    query = holder.query or _last(place, holder)
    did = f"with {query!r}" if query else "with an open transaction, perhaps"
    with contextlib.suppress(pymysql.MySQLError):  # it has just ended
        place.rows(f"KILL {holder.id}")
    return f"{holder}, for {holder.seconds} s {did}"


def _all(place: Place) -> list[Connection]:
    found = place.rows("SHOW FULL PROCESSLIST")
    return [Connection._make((*row[:6], row[7])) for row in found]


def _last(place: Place, holder: Connection) -> str:
    with contextlib.suppress(pymysql.MySQLError):
        return "; ".join(text for (text,) in place.rows(LAST, holder.id) if text)
    return ""

"""What writes a batch of hits: one packet of statements, and what it answers.

The packet goes to the server as one query of many statements (CLIENT_MULTI_STATEMENTS in
MySQL's manual), so that a batch costs one round trip. A statement that fails keeps those
after it, COMMIT too, from being run. Values stand in the text itself: numbers, and names
that `NAME` has let through.
"""

import re
from collections.abc import Mapping

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}/[A-Za-z0-9_.-]{1,64}", re.ASCII)

# READ COMMITTED: no gap locks, which would let writers of new counters block each other.
SESSION = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    # A lock is waited for less long than an answer. If this process is cut off in silence, the
    # server keeps what it has locked for a minute, not for its default of eight hours.
    "SET SESSION autocommit = 0, group_concat_max_len = 1048576, innodb_lock_wait_timeout = 1,"
    " wait_timeout = 60, sql_mode = 'STRICT_ALL_TABLES'",
    # Those that writers left behind: no packet is on its way for a day.
    "DELETE FROM receipt WHERE made < UTC_TIMESTAMP() - INTERVAL 1 DAY ORDER BY made LIMIT 1000",
    "COMMIT",
]
NOW = "UTC_TIMESTAMP(6)"
HOUR = "DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:00:00')"
# MySQL deprecates VALUES(column) below, but MariaDB 10.11 knows nothing else.


def statements(
    writer: int, number: int, hits: Mapping[str, int], needless: range = range(0)
) -> list[str]:
    """Return what adds `hits`, by counter's name, as batch `number` of `writer`.

    It answers with the counts after the batch, in the order of the names, and ends with COMMIT.
    The receipt is its fence: a second packet of the same writer and number fails with error
    1062 once the first is committed, and waits for it while it is under way. The receipts of
    the batches `needless` are deleted.
    """
    # Everybody locks rows in the order of names, so writers do not deadlock.
    names = sorted(hits)
    if not all(NAME.fullmatch(name) for name in names):
        raise ValueError(f"not the names of counters: {names}")
    add, counts = (
        (_add_to_one, "LAST_INSERT_ID()") if len(names) == 1 else (_add_to_many, "@counts")
    )
    hours = ",".join(f"('{name}',{HOUR},{hits[name]:d})" for name in names)
    return [
        *add(names, hits),
        f"INSERT INTO counter_hour (name, hour, count) VALUES {hours}"
        " ON DUPLICATE KEY UPDATE count = count + VALUES(count)",
        "INSERT INTO receipt (writer, number, counts, made)"
        f" VALUES ({writer:d}, {number:d}, {counts}, UTC_TIMESTAMP())",
        *_forget(writer, needless),
        "COMMIT",
    ]


def _add_to_one(names: list[str], hits: Mapping[str, int]) -> list[str]:
    """Add to one counter; its count comes back with the statement itself, as its insert id."""
    (name,) = names
    return [
        "INSERT INTO counter (name, count, created, updated)"
        f" VALUES ('{name}', LAST_INSERT_ID({hits[name]:d}), {NOW}, {NOW})"
        " ON DUPLICATE KEY UPDATE count = LAST_INSERT_ID(count + VALUES(count)),"
        " updated = VALUES(updated)",
    ]


def _add_to_many(names: list[str], hits: Mapping[str, int]) -> list[str]:
    values = ",".join(f"('{name}',{hits[name]:d},{NOW},{NOW})" for name in names)
    quoted = ",".join(f"'{name}'" for name in names)
    return [
        f"INSERT INTO counter (name, count, created, updated) VALUES {values}"
        " ON DUPLICATE KEY UPDATE count = count + VALUES(count), updated = VALUES(updated)",
        "SELECT GROUP_CONCAT(count ORDER BY name) INTO @counts"
        f" FROM counter WHERE name IN ({quoted})",
        "SELECT @counts",
    ]


def _forget(writer: int, numbers: range) -> list[str]:
    if not numbers:
        return []
    between = f"{numbers[0]:d} AND {numbers[-1]:d}"
    return [f"DELETE FROM receipt WHERE writer = {writer:d} AND number BETWEEN {between}"]


def receipt(writer: int, number: int) -> str:
    """Return the statement that asks for the counts of a committed batch."""
    return f"SELECT counts FROM receipt WHERE writer = {writer:d} AND number = {number:d}"


def totals(hits: Mapping[str, int], counts: str) -> dict[str, int]:
    """Return each counter's count after the batch, from what the packet answered."""
    return dict(zip(sorted(hits), map(int, counts.split(",")), strict=True))

"""The statements that write a batch of hits in one packet, and their answers.

The packet is one query of many statements (CLIENT_MULTI_STATEMENTS in MySQL's manual, which
aiomysql sets), so a batch costs one round trip. Autocommit is off: the first statement begins the
transaction. If a statement fails, the server runs none after it, so no COMMIT either. A node of a
Galera cluster does not keep to this, so there each statement is a query of its own: see GALERA.
Values are written into the text: numbers, names and, in hexadecimal, idempotency keys. They all
come from a `Hit`, whose name has no quote or other character with a meaning in SQL.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from counter import models
from counter.batching.batch import Batch
from counter.batching.locks import LockState
from counter.hits import CounterKey, StoredAnswer

# In addition to what each session of the app sets: see db_connection.py.
SESSION = [
    # No gap locks: writers of new counters would block each other.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    # A wait for a row or table lock ends before the attempt does. If this process is silently cut
    # off, the server holds its locks for a minute, not for the default of eight hours.
    "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, wait_timeout = 60",
]
LARGEST_PACKET = "SELECT @@max_allowed_packet"
# Returns a row on a node of a Galera cluster. There another node's commit may undo what a packet
# has done so far. The server then runs and commits the rest, such as a receipt for hits that are
# not counted, and reports error 1213 only at the end.
GALERA = "SHOW VARIABLES WHERE variable_name = 'wsrep_on' AND value = 'ON'"
NOW = "UTC_TIMESTAMP(6)"
ALL = f"'{models.ALL_HOURS}'"
HOUR = "DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:00:00')"
ROWS = 2  # of a counter with a hit this hour
ADD = "INSERT INTO counter (hour, name, count, created, updated) VALUES"
KEEP_KEYS = "INSERT INTO idempotency_key"
COMMIT = "COMMIT"
KEEP_RECEIPT = "INSERT INTO receipt"
# MySQL deprecates VALUES(column), used below, but MariaDB 10.11 has no other way.


def statements(writer: int, batch: Batch, needless: range = range(0)) -> list[str]:
    """Return the statements that add the batch's sums and keep its keys.

    They answer with the counts after the batch, in the order of the names, and end with COMMIT.
    Each counter's row is locked until COMMIT, so no other writer sees the same count. The receipt
    guards against a second packet: one with the same writer and number waits while the first
    is running, and fails with error 1062 once it is committed. A key that another batch had fails
    the same way. The receipts of the batches `needless` are deleted.
    """
    # All writers lock rows in the same order, so they do not deadlock.
    names = sorted(batch.sums)
    add, counts = (
        (_add_to_one, "LAST_INSERT_ID()") if len(names) == 1 else (_add_to_many, "@counts")
    )
    return [
        *add(names, batch.sums),
        *_keep_keys(names, batch),
        f"{KEEP_RECEIPT} (writer, number, counts, made)"
        f" VALUES ({writer:d}, {batch.number:d}, {counts}, UTC_TIMESTAMP())",
        *_forget(writer, needless),
        COMMIT,
    ]


def _add_to_one(names: list[str], sums: Mapping[str, int]) -> list[str]:
    """Add to one counter; its count comes back with the statement, as the insert id."""
    (name,) = names
    by = sums[name]
    return [
        f"{ADD} ({ALL},'{name}',LAST_INSERT_ID({by:d}),{NOW},{NOW}),"
        f"({HOUR},'{name}',{by:d},{NOW},{NOW})"
        f" ON DUPLICATE KEY UPDATE count = IF(hour = {ALL}, LAST_INSERT_ID(count + VALUES(count)),"
        " count + VALUES(count)), updated = VALUES(updated)",
    ]


def _add_to_many(names: list[str], sums: Mapping[str, int]) -> list[str]:
    values = ",".join(
        f"({hour},'{name}',{sums[name]:d},{NOW},{NOW})" for hour in (ALL, HOUR) for name in names
    )
    quoted = ",".join(f"'{name}'" for name in names)
    return [
        f"{ADD} {values}"
        " ON DUPLICATE KEY UPDATE count = count + VALUES(count), updated = VALUES(updated)",
        "SELECT GROUP_CONCAT(count ORDER BY name) INTO @counts"
        # Without the hint, the server dives into both indexes for each name to choose this one.
        f" FROM counter FORCE INDEX (PRIMARY) WHERE hour = {ALL} AND name IN ({quoted})",
        "SELECT @counts",
    ]


def _keep_keys(names: list[str], batch: Batch) -> list[str]:
    """Store each key's answer: its counter's count, less what the batch adds after that hit."""
    if not batch.keys:
        return []
    if len(names) == 1:
        counts = {names[0]: "LAST_INSERT_ID()"}
    else:
        counts = {
            name: f"CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(@counts,',',{nth}),',',-1) AS UNSIGNED)"
            for nth, name in enumerate(names, 1)
        }
    values = ",".join(
        f"('{name}',{_hex(key)},{first.by:d},"
        f"{counts[name]}-{batch.sums[name] - first.offset:d},UTC_TIMESTAMP())"
        for (name, key), first in ((keyed, batch.keys[keyed]) for keyed in sorted(batch.keys))
    )
    return [f"{KEEP_KEYS} (name, value, added, count, made) VALUES {values}"]


def _hex(key: str) -> str:
    return f"_ascii X'{key.encode('ascii').hex()}'"


def _forget(writer: int, numbers: range) -> list[str]:
    if not numbers:
        return []
    between = f"{numbers[0]:d} AND {numbers[-1]:d}"
    return [f"DELETE FROM receipt WHERE writer = {writer:d} AND number BETWEEN {between}"]


def receipt(writer: int, number: int) -> str:
    """Return the statement that reads the counts of a committed batch."""
    return f"SELECT counts FROM receipt WHERE writer = {writer:d} AND number = {number:d}"


def fence(writer: int, number: int) -> str:
    """Return the statement that inserts an empty receipt, unless the batch has its own.

    It waits for a packet of the batch that is running; one that comes later will fail.
    """
    return (
        f"{KEEP_RECEIPT} (writer, number, counts, made)"
        f" VALUES ({writer:d}, {number:d}, '', UTC_TIMESTAMP())"
        " ON DUPLICATE KEY UPDATE number = number"
    )


def probe(names: Collection[str]) -> list[str]:
    """Return the statements that read the counters' rows, and those that can be locked at once.

    The first answers with each row's name and count, the second with its name.
    """
    quoted = ",".join(f"'{name}'" for name in sorted(names))
    of = f" FROM counter FORCE INDEX (PRIMARY) WHERE hour IN ({ALL}, {HOUR}) AND name IN ({quoted})"
    return [
        f"SELECT COALESCE(GROUP_CONCAT(name, ' ', count ORDER BY hour), ''){of}",
        f"SELECT COALESCE(GROUP_CONCAT(name), ''){of} FOR UPDATE SKIP LOCKED",
    ]


def parse_locks(names: Collection[str], rows_answer: str, unlocked_answer: str) -> LockState:
    """Return the counters' locks, from those two answers."""
    counts: dict[str, list[str]] = {name: [] for name in names}
    for row in filter(None, rows_answer.split(",")):
        name, count = row.split(" ")
        counts[name].append(count)
    unlocked = Counter(unlocked_answer.split(","))
    return LockState(
        {name: " ".join(rows) for name, rows in counts.items() if unlocked[name] < len(rows)},
        {name for name, rows in counts.items() if len(rows) < ROWS},
    )


def totals(sums: Mapping[str, int], counts: str) -> dict[str, int]:
    """Return each counter's count after the batch, from the packet's answer."""
    return dict(zip(sorted(sums), map(int, counts.split(",")), strict=True))


def stored_answers(keys: Collection[CounterKey]) -> str:
    """Return the statement that reads the stored answers of these keys."""
    pairs = ",".join(f"('{name}',{_hex(key)})" for name, key in sorted(keys))
    return (
        "SELECT GROUP_CONCAT(CONCAT_WS(' ', name, value, added, count) SEPARATOR '\n')"
        f" FROM idempotency_key WHERE (name, value) IN ({pairs})"
    )


def parse_stored(text: str) -> dict[CounterKey, StoredAnswer]:
    """Return the keys' stored answers, from the server's text."""
    lines = (line.split(" ") for line in text.splitlines())
    return {(name, key): StoredAnswer(int(by), int(count)) for name, key, by, count in lines}

"""The statements that write a batch of hits, one packet, and what they answer.

The packet goes to the server as one query of many statements (CLIENT_MULTI_STATEMENTS in
MySQL's manual), so that a batch costs one round trip. A statement that fails keeps those
after it, COMMIT too, from being run. This is not so on a node of a Galera cluster, where each
statement is a query of its own: see GALERA. Values stand in the text itself: numbers, names
and, in hexadecimal, idempotency keys. All are parts of a `Hit`, and there is none whose name has a
quote in it, or another sign that means something in SQL.
"""

from collections import Counter
from collections.abc import Collection, Mapping

from counter import models
from counter.batching.batch import Batch
from counter.batching.locks import LockState
from counter.hits import CounterKey, StoredAnswer

# Beside what each session of the app has: see db_connection.py.
SESSION = [
    # No gap locks, which would let writers of new counters block each other.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    # A lock, of a row or a table, is waited for less long than an answer. If this process is cut
    # off in silence, the server keeps what it has locked for a minute, not for its default of
    # eight hours.
    "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, wait_timeout = 60",
]
LARGEST_PACKET = "SELECT @@max_allowed_packet"
# Answers with a text on a node of a Galera cluster. There another node's commit may undo what a
# packet has done so far; the server runs the rest and commits that, such as a receipt of hits
# that are not in, and tells so at the end only, by error 1213.
GALERA = "SHOW VARIABLES WHERE variable_name = 'wsrep_on' AND value = 'ON'"
NOW = "UTC_TIMESTAMP(6)"
ALL = f"'{models.ALL_HOURS}'"
HOUR = "DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%d %H:00:00')"
ROWS = 2  # of a counter that has a hit this hour
ADD = "INSERT INTO counter (hour, name, count, created, updated) VALUES"
KEEP_KEYS = "INSERT INTO idempotency_key"
COMMIT = "COMMIT"
KEEP_RECEIPT = "INSERT INTO receipt"
# MySQL deprecates VALUES(column) below, but MariaDB 10.11 knows nothing else.


def statements(writer: int, batch: Batch, needless: range = range(0)) -> list[str]:
    """Return what adds the sums of the batch, as `writer`, and keeps its keys.

    It answers with the counts after the batch, in the order of the names, and ends with COMMIT.
    The receipt is its fence: a second packet of the same writer and number fails with error
    1062 once the first is committed, and waits for it while it is under way. A key that another
    batch had fails so too. The receipts of the batches `needless` are deleted.
    """
    # Everybody locks rows in one order, so writers do not deadlock.
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
    """Add to one counter; its count comes back with the statement itself, as its insert id."""
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
        # Without the hint the server looks into both indexes for each name, to choose this one.
        f" FROM counter FORCE INDEX (PRIMARY) WHERE hour = {ALL} AND name IN ({quoted})",
        "SELECT @counts",
    ]


def _keep_keys(names: list[str], batch: Batch) -> list[str]:
    """Keep what each key is answered: its counter's count, without what came after it."""
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
    """Return the statement that asks for the counts of a committed batch."""
    return f"SELECT counts FROM receipt WHERE writer = {writer:d} AND number = {number:d}"


def fence(writer: int, number: int) -> str:
    """Return the statement that makes a receipt of nothing, unless the batch has made its own.

    It waits for a packet of the batch that is under way; one that comes later will fail.
    """
    return (
        f"{KEEP_RECEIPT} (writer, number, counts, made)"
        f" VALUES ({writer:d}, {number:d}, '', UTC_TIMESTAMP())"
        " ON DUPLICATE KEY UPDATE number = number"
    )


def probe(names: Collection[str]) -> list[str]:
    """Return what asks for the counters' rows, and for those that can be locked at once.

    The first answers with each row's name and count, the second with its name.
    """
    quoted = ",".join(f"'{name}'" for name in sorted(names))
    of = f" FROM counter FORCE INDEX (PRIMARY) WHERE hour IN ({ALL}, {HOUR}) AND name IN ({quoted})"
    return [
        f"SELECT COALESCE(GROUP_CONCAT(name, ' ', count ORDER BY hour), ''){of}",
        f"SELECT COALESCE(GROUP_CONCAT(name), ''){of} FOR UPDATE SKIP LOCKED",
    ]


def parse_locks(names: Collection[str], rows_answer: str, unlocked_answer: str) -> LockState:
    """Return what those two answers tell of the counters' locks."""
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
    """Return each counter's count after the batch, from what the packet answered."""
    return dict(zip(sorted(sums), map(int, counts.split(",")), strict=True))


def stored_answers(keys: Collection[CounterKey]) -> str:
    """Return the statement that asks what those of the keys were answered that are kept."""
    pairs = ",".join(f"('{name}',{_hex(key)})" for name, key in sorted(keys))
    return (
        "SELECT GROUP_CONCAT(CONCAT_WS(' ', name, value, added, count) SEPARATOR '\n')"
        f" FROM idempotency_key WHERE (name, value) IN ({pairs})"
    )


def parse_stored(text: str) -> dict[CounterKey, StoredAnswer]:
    """Return what those keys were answered, from what the server said."""
    lines = (line.split(" ") for line in text.splitlines())
    return {(name, key): StoredAnswer(int(by), int(count)) for name, key, by, count in lines}

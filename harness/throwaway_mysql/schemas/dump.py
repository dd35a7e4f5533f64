"""A copy of a database as SQL: taken, kept in a file, and replayed into an empty database."""

import hashlib
import io
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import cache
from throwaway_mysql.schemas.checksums import Checksums
from throwaway_mysql.schemas.ddl import CloneError, Contents
from throwaway_mysql.schemas.digest import SESSION, digest, lines
from throwaway_mysql.schemas.rows import inserts

PACKET = 1024 * 1024  # bytes of statements that are sent at once, unless one alone is longer
MOST = 64 * 1024 * 1024  # bytes of rows that are kept
MARGIN = 4096  # bytes of a packet that are not the statement
TRIED_AGAIN = 24 * 3600  # seconds
END = b";\n"


class DigestError(CloneError):
    """A copy has another digest; `made` is what it is instead, as `lines` tells it."""

    def __init__(self, made: Sequence[str]) -> None:
        super().__init__("its digest differs")
        self.made = made


@dataclass(frozen=True)
class Dump:
    """A database as packets of SQL; `mark` stands in them for its name.

    `key` tells what made it; `digest` and `checksums` (of the tables that have rows) are what a
    copy must come out as. `refused` says why no copy is to be made, if so.
    """

    key: str
    digest: str
    checksums: dict[str, str]
    mark: str
    packets: Sequence[bytes] = field(default=(), repr=False)
    refused: str = ""

    def save(self, path: Path) -> None:
        """Write it to a file that only its owner may read, whole or not at all."""
        header = asdict(self) | {"packets": [len(packet) for packet in self.packets]}
        rest = json.dumps(header).encode() + b"\n" + b"".join(self.packets)
        whole = hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest
        cache.replace(path, lambda part: part.write_bytes(whole))

    @classmethod
    def load(cls, path: Path, key: str) -> "Dump | None":
        """Read a file, and note its use; None where it is not there, damaged or of another key.

        What was refused is tried again after a day: the reason may have been a full disk.
        """
        try:
            checksum, _, rest = path.read_bytes().partition(b"\n")
            age = time.time() - path.stat().st_mtime
            if checksum != hashlib.sha256(rest).hexdigest().encode():
                return None
            header, _, body = rest.partition(b"\n")
            values = json.loads(header)
            if values["key"] != key:
                return None
            if values["refused"]:
                return cls(**values) if age < TRIED_AGAIN else None
            cache.used(path)
        except OSError:
            return None
        stream = io.BytesIO(body)
        packets = [stream.read(length) for length in values.pop("packets")]
        return cls(**values, packets=packets)

    @classmethod
    def refusal(cls, key: str, why: str) -> "Dump":
        """Return what tells that nothing made with this key is to be copied."""
        return cls(key, "", {}, "", refused=why)

    def refuse(self, why: str) -> "Dump":
        """Return what tells that this database cannot be copied."""
        return replace(self, packets=(), refused=why)

    def replay(self, connection: "Connection[Cursor]", database: str) -> None:
        """Make the copy in the connection's database, which is empty."""
        with _as_clone_error(), connection.cursor() as cursor:
            for packet in self.packets:
                sql: Any = packet.replace(self.mark.encode(), database.encode())
                cursor.execute(sql)  # bytes are sent as they are, whatever the stubs say
                while cursor.nextset():
                    pass

    def check(self, connection: "Connection[Cursor]", database: str) -> None:
        """Raise CloneError unless the connection's database is what was copied."""
        with _as_clone_error():
            made = lines(connection, database, positions=True)  # in the session that `take` had
            found = Checksums(connection, database, list(self.checksums)).read()
        if digest(made) != self.digest:
            raise DigestError(made)
        for table, checksum in self.checksums.items():
            if found[table] != checksum:
                raise CloneError(f"the rows of {table} differ")


@contextmanager
def _as_clone_error() -> Iterator[None]:
    try:
        yield
    except pymysql.MySQLError as error:
        raise CloneError(str(error.args[-1])) from None


def take(connection: "Connection[Cursor]", database: str, began: str, key: str) -> Dump:
    """Copy the connection's database, whose collation was `began` when it was empty.

    The database's name is replaced wherever it stands, so it must be one that nothing else
    has. Where it cannot be copied, the dump says so.
    """
    mark = f"database_{secrets.token_hex(8)}"
    dump = Dump(key, digest(lines(connection, database, positions=True)), {}, mark)
    try:
        contents = Contents(connection, database)
        rows = _rows(contents)
        statements = [statement for inserted in rows.values() for statement in inserted]
        script = list(_script(contents, statements, began))
        packets = list(_packets(connection, script))
    except CloneError as error:
        return dump.refuse(str(error))
    name = database.encode()
    filled = [table for table in contents.tables if rows[table] and table not in contents.arrays]
    # A table that names its database is to differ.
    checked = [table for table in filled if not any(name in insert for insert in rows[table])]
    packets = [packet.replace(name, mark.encode()) for packet in packets]
    checksums = Checksums(connection, database, checked).read()
    return replace(dump, checksums=checksums, packets=packets)


def _rows(contents: Contents) -> dict[str, list[bytes]]:
    rows: dict[str, list[bytes]] = {}
    size = 0
    for table in contents.tables:
        rows[table] = []
        for statement in inserts(contents.connection, contents.database, table):
            size += len(statement)
            if size > MOST:
                raise CloneError(f"its rows take more than {MOST >> 20} MiB")
            rows[table].append(statement)
    return rows


def _script(contents: Contents, rows: Sequence[bytes], began: str) -> Iterator[bytes]:
    yield SESSION.encode()
    if contents.collation != began:
        yield f"ALTER DATABASE COLLATE {contents.collation}".encode()
    yield from (statement.encode() for statement in contents.statements_before_rows())
    if rows:
        yield from (b"BEGIN", *rows, b"COMMIT")
    yield from (statement.encode() for statement in contents.statements_after_rows())


def _packets(connection: "Connection[Cursor]", script: Sequence[bytes]) -> Iterator[bytes]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@max_allowed_packet")
        ((most,),) = cursor.fetchall()
    packet: list[bytes] = []
    for statement in script:
        if len(statement) > most - MARGIN:
            raise CloneError(f"a row takes more than max_allowed_packet ({most} bytes)")
        full = sum(map(len, packet)) + len(statement) > min(PACKET, most // 2)
        if packet and (full or not statement):
            yield END.join(packet)
            packet = []
        if statement:
            packet.append(statement)
    if packet:
        yield END.join(packet)

"""The database, Redis and the apps that the load goes to, all on this machine."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from pymysql.connections import Connection
from pymysql.cursors import Cursor
from redis import Redis

from benchmarks import database
from benchmarks.frame import InvalidError
from benchmarks.machine import PROJECT
from benchmarks.service.contestants import CONTESTANTS, Contestant
from tests.support.serving import serving
from throwaway_mysql import free_port

REDIS = (
    "redis-server --bind 127.0.0.1 --port {port} --save '' --appendonly yes --appendfsync always"
    " --auto-aof-rewrite-percentage 0"
)
TABLES = (
    "CREATE TABLE peer (name VARCHAR(129) PRIMARY KEY, count BIGINT UNSIGNED NOT NULL)",
    "INSERT INTO peer VALUES ('bench/one', 0)",
    "CREATE TABLE bare (id INT PRIMARY KEY, count INT NOT NULL)",
    "INSERT INTO bare VALUES (1, 0)",
)
# The count of a counter is in its row of the first hour of all: see counter/models.py.
COUNTED = {
    "counter": "SELECT COALESCE(SUM(count), 0) FROM counter WHERE hour = '1000-01-01'",
    "sqlalchemy_update": "SELECT SUM(count) FROM peer",
    "bare": "SELECT 0",
}
WITHIN = 60.0  # seconds; a worker may still be starting
OF_THE_SERVER = "date", "server", "connection"  # headers that its program adds for each app
STILL = 0.2  # seconds without a new hit, after which none is under way


@dataclass(frozen=True)
class Environment:
    """Servers that are ready; `ports` has those of the apps, by what serves them."""

    engine: str
    connection: "Connection[Cursor]"
    redis: Redis
    ports: Mapping[str, int]

    def url(self, contestant: Contestant) -> str:
        """Return where the contestant's requests go."""
        return f"http://127.0.0.1:{self.ports[contestant.command]}{contestant.path}"

    def settled(self, contestant: Contestant) -> int:
        """Return the sum of the counters, once what clients no longer wait for is in it."""
        deadline = time.monotonic() + WITHIN
        before, now = -1, self._count(contestant)
        while now != before:
            if time.monotonic() > deadline:
                raise InvalidError(f"{contestant.title}: counts go on though nobody sends hits")
            time.sleep(STILL)
            before, now = now, self._count(contestant)
        return now

    def statements(self) -> int:
        """Return how many statements clients have sent; each in a packet of many counts."""
        return int(self._row("SHOW GLOBAL STATUS LIKE 'Questions'")[1])

    def _count(self, contestant: Contestant) -> int:
        if contestant.app == "redis_incr":
            return int(self.redis.get("bench/one") or 0)
        return int(self._row(COUNTED[contestant.app])[0])

    def _row(self, query: str) -> tuple[str, ...]:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return tuple(str(value) for value in cursor.fetchall()[0])


@contextmanager
def environment(program: str) -> Iterator[Environment]:
    """Start everything, with the database of a server program; end it with the block.

    Raises InvalidError where a contestant does not answer as it should.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = stack.enter_context(database.running(program, durable=True))
        path = os.pathsep.join(sys.path)
        environ = {**os.environ, "PYTHONPATH": path, **server.settings("bench")}
        connection = stack.enter_context(_migrated(server, environ))
        ports: dict[str, int] = {}

        def start(command: str, cwd: Path) -> int:
            port = ports[command] = free_port()
            argv, log = shlex.split(command.format(port=port)), folder / f"{port}.log"
            stack.enter_context(serving(argv, port, environ, cwd, log))
            return port

        redis = start(REDIS, folder)
        environ["REDIS_PORT"] = str(redis)
        for contestant in CONTESTANTS.values():
            port = ports.get(contestant.command) or start(contestant.command, PROJECT)
            environ.setdefault("ANSWER", probe(contestant, port))  # what the bare app gives
        yield Environment(server.engine, connection, Redis(port=redis), ports)


def _migrated(server: database.Database, environ: Mapping[str, str]) -> "Connection[Cursor]":
    """Make the database of the apps, with all their tables; return a connection to it."""
    connection = server.connect()
    connection.autocommit(True)  # noqa: FBT003 (the driver's way)
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE bench")
        connection.select_db("bench")
        alembic = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(alembic, cwd=PROJECT, env=environ, check=True)
        for statement in TABLES:
            cursor.execute(statement)
    return connection


def probe(contestant: Contestant, port: int) -> str:
    """Ask a contestant once; return the headers and the body of the answer as JSON.

    Raises OSError unless it is a success, and InvalidError where a key does not keep a hit from
    being counted again.
    """
    url = f"http://127.0.0.1:{port}{contestant.path.replace('NUMBER', '1')}"
    headers = {"Idempotency-Key": "probe"} if contestant.kind == "keys" else {}
    request = Request(url, headers=headers, method=contestant.method)
    bodies = []
    for _ in range(2):
        with urlopen(request, timeout=WITHIN) as response:  # noqa: S310 (our own)
            bodies.append(response.read().decode())
    if headers and bodies[0] != bodies[1]:
        raise InvalidError(f"{contestant.title}: a hit was counted again")
    own = [pair for pair in response.getheaders() if pair[0].lower() not in OF_THE_SERVER]
    return json.dumps({"headers": own, "body": bodies[0]})

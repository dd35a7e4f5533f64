"""The database, Redis and the apps of one engine's measurement, all on this machine."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from benchmarks import VoidError, probe
from benchmarks.contestants import (
    CONTESTANTS,
    NAMESPACE,
    PRODUCTION,
    REDIS,
    SQLALCHEMY,
    Contestant,
    Server,
)
from counter.batching.sql import ALL
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.serving import serving

PROJECT = Path(__file__).resolve().parents[1]
OWN = PROJECT / ".bench"  # not for git
PACKAGES = OWN / "packages"  # those that only peers need
# Each program's fastest settings; none logs requests unless it is told to, but uvicorn.
PROGRAMS = {
    "uvicorn": "uvicorn --no-access-log --loop=uvloop --http=httptools --port={port}",
    PRODUCTION: "uvicorn --no-access-log --loop=uvloop --http=web.http1:Protocol --port={port}",
    "hypercorn": "hypercorn --worker-class=uvloop --bind=127.0.0.1:{port}",
    "granian": "granian --interface=asgi --loop=uvloop --host=127.0.0.1 --port={port}",
}
AOF = ["--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"]
PEER = "CREATE TABLE peer (name VARCHAR(129) PRIMARY KEY, count BIGINT UNSIGNED NOT NULL)"
STILL = 0.2  # seconds without a new hit, after which none is under way
STILL_WITHIN = 15.0


@dataclass(frozen=True)
class Stage:
    """Servers that are ready: `ports` has the apps', `folder` is on the database's disk."""

    engine: str
    folder: Path
    connection: "Connection[Cursor]"
    redis: int
    ports: Mapping[Server, int]

    def url(self, contestant: Contestant) -> str:
        """Return where the contestant's requests go."""
        return f"http://127.0.0.1:{self.ports[contestant.server]}{contestant.path}"

    def count(self, contestant: Contestant) -> int:
        """Return the sum of the counters that the contestant may have raised."""
        if contestant.server.app == REDIS:
            return probe.redis_count(self.redis, f"{NAMESPACE}/one")
        table = "peer" if contestant.server.app == SQLALCHEMY else f"counter WHERE hour = {ALL}"
        return int(self._ask(f"SELECT CAST(SUM(count) AS UNSIGNED) FROM {table}", 0))  # noqa: S608

    def settled(self, contestant: Contestant) -> int:
        """Return that sum once the hits that clients no longer wait for are in it."""
        deadline = time.monotonic() + STILL_WITHIN
        before, now = -1, self.count(contestant)
        while now != before:
            if time.monotonic() > deadline:
                raise VoidError(f"{contestant.title}: hits without end, though nobody sends any")
            time.sleep(STILL)
            before, now = now, self.count(contestant)
        return now

    def statements(self) -> int:
        """Return how many statements clients have sent; each in a packet of many counts."""
        return int(self._ask("SHOW GLOBAL STATUS LIKE 'Questions'", 1))

    def _ask(self, query: str, column: int) -> str:
        with self.connection.cursor() as cursor:
            cursor.execute(query)
            return str(cursor.fetchall()[0][column])


@contextmanager
def stage(program: str) -> Iterator[Stage]:
    """Start everything for the server program, and end it with the block.

    Raises VoidError where a contestant does not answer as it should.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = stack.enter_context(closing(RunServer(program, durable=True)))
        coordinates = stack.enter_context(throwaway_database(server.root, "benchmark"))
        name = coordinates["DATABASE_NAME"]
        AlembicProject(PROJECT / "pyproject.toml", server.root, name).upgrade()
        connection = stack.enter_context(server.root.connect())
        connection.select_db(name)
        with connection.cursor() as cursor:
            cursor.execute(PEER)
            cursor.execute("INSERT INTO peer VALUES (%s, 0)", (f"{NAMESPACE}/one",))
        redis = _start_redis(stack, folder)
        environ = {**os.environ, **coordinates.environ(), "QUART_ENV": "production"}
        environ |= {"REDIS_PORT": str(redis), "PYTHONPATH": str(PACKAGES)}
        ports = _start_apps(stack, folder, environ)
        yield Stage(str(server.program), folder, connection, redis, ports)


def _start_redis(stack: ExitStack, folder: Path) -> int:
    port = free_port()
    argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", *AOF]
    stack.enter_context(serving(argv, port, os.environ, folder, folder / "redis.log"))
    return port


def _start_apps(stack: ExitStack, folder: Path, environ: dict[str, str]) -> dict[Server, int]:
    """Start the apps, and see that each contestant is answered."""
    ports: dict[Server, int] = {}
    for name, contestant in CONTESTANTS.items():
        server = contestant.server
        if server not in ports:
            port = ports[server] = free_port()
            program = PROGRAMS[server.program].format(port=port).split()
            argv = [sys.executable, "-m", *program, f"--workers={server.workers}", server.app]
            log = folder / f"{name}.log"
            stack.enter_context(serving(argv, port, environ, PROJECT, log))
        answer = probe.answer(ports[server], contestant)
        environ.setdefault("ANSWER", answer)  # of the first, which is what the bare app gives
    return ports

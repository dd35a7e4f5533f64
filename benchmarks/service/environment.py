"""The database, Redis and the apps under load, all on this machine."""

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from pymysql.cursors import Cursor
from redis import Redis

from benchmarks.machine import PROJECT
from benchmarks.service.contestants import CONTESTANTS, Contestant
from tests.support.project import account_settings, run
from tests.support.serving import free_port, serving
from throwaway_mysql import Server

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
# A counter's count is in its row for the first hour of all: see counter/models.py.
COUNTED = {
    "counter": "SELECT COALESCE(SUM(count), 0) FROM counter WHERE hour = '1000-01-01'",
    "sqlalchemy_update": "SELECT SUM(count) FROM peer",
    "bare": "SELECT 0",
}
ANSWERS_WITHIN = 60  # seconds; a worker may still be starting
OF_THE_SERVER = "date", "server", "connection"  # headers that the server program adds for every app
STILL = 0.2  # seconds without a new hit, after which none is in flight


@dataclass(frozen=True)
class Environment:
    """Servers that are ready; `ports` has the apps' ports by their commands."""

    server: Server
    cursor: Cursor
    redis: Redis
    ports: Mapping[str, int]

    @property
    def engine(self) -> str:
        """The database's name and version."""
        return str(self.server.program)

    def settled(self, contestant: Contestant) -> int:
        """Return the sum of the counters, once abandoned requests are counted too."""
        before, now = -1, self._count(contestant)
        while now != before:
            time.sleep(STILL)
            before, now = now, self._count(contestant)
        return now

    def statements(self) -> int:
        """Return how many statements clients have sent; each statement of a packet counts."""
        return self._number("SHOW GLOBAL STATUS LIKE 'Questions'")

    def _count(self, contestant: Contestant) -> int:
        if contestant.app == "redis_incr":
            return int(self.redis.get("bench/one") or 0)
        return self._number(COUNTED[contestant.app])

    def _number(self, query: str) -> int:
        self.cursor.execute(query)
        return int(self.cursor.fetchall()[0][-1])


@contextmanager
def environment(program: str) -> Iterator[Environment]:
    """Start everything, with this database server program; end it with the block.

    The database is on disk, with the server's defaults, so each commit is flushed. Raises OSError
    if a contestant does not answer.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = stack.enter_context(Server(program, durable=True))
        environ = {**os.environ, **account_settings(server.root), "QUART_ENV": "production"}
        environ |= {"DATABASE_NAME": "bench", "PYTHONPATH": os.pathsep.join(sys.path)}
        connection = stack.enter_context(server.root.connect())
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE bench")
        connection.select_db("bench")
        run(environ, "alembic", "upgrade", "head").check_returncode()
        for statement in TABLES:
            cursor.execute(statement)
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
            environ.setdefault("ANSWER", _ask(contestant, port))  # for the bare app to send
        yield Environment(server, cursor, Redis(port=redis), ports)


def _ask(contestant: Contestant, port: int) -> str:
    """Send a contestant one request; return the answer's headers and body as JSON."""
    url = f"http://127.0.0.1:{port}{contestant.path.replace('NUMBER', '1')}"
    request = Request(url, method=contestant.method)
    with urlopen(request, timeout=ANSWERS_WITHIN) as response:  # noqa: S310 (our own)
        body = response.read().decode()
    own = [pair for pair in response.getheaders() if pair[0].lower() not in OF_THE_SERVER]
    return json.dumps({"headers": own, "body": body})

"""The targets of a nemesis: a database server, and processes of the app, each behind a proxy.

Only this module uses the test harness.
"""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from random import Random

import pymysql
from pymysql.cursors import Cursor

from counter.models import ALL_HOURS
from tests.faults.disk import Disk
from tests.faults.history import Evidence, History, Stored
from tests.support.project import PROJECT, UVICORN, account_settings, run
from tests.support.proxy import Proxy
from tests.support.serving import free_port, serving
from throwaway_mysql import Login, Server

PROCESSES = 2
DATABASE, USER, PASSWORD = "faults", "faults", "faults"  # init_connect is not for root
STORED = """
SELECT name, SUM(IF(hour = %(all)s, count, 0)), SUM(IF(hour = %(all)s, start, 0)),
SUM(IF(hour = %(all)s, 0, count)) FROM counter GROUP BY name
"""


@dataclass
class AppProcess:
    """A process of the app, which can be killed, and restarted at its port."""

    proxy: Proxy
    environ: Mapping[str, str]
    folder: Path  # of its logs
    port: int = field(default_factory=free_port)
    ending: ExitStack = field(default_factory=ExitStack)

    async def start(self) -> None:
        """Start it, and return once it listens."""
        argv = [*UVICORN, "--no-access-log", "--port", str(self.port), "manage:app"]
        environ = {**self.environ, "DB_PORT": str(self.proxy.port)}
        log = self.folder / f"{self.port}.{time.monotonic_ns()}.log"
        program = serving(argv, self.port, environ, PROJECT, log)
        running = await asyncio.to_thread(self.ending.enter_context, program)
        self.ending.callback(running.process.kill)

    async def kill(self) -> None:
        """Send it SIGKILL if it is running."""
        await asyncio.to_thread(self.ending.close)


@dataclass
class Environment:
    """All targets of a nemesis, and the history."""

    server: Server
    processes: list[AppProcess]
    disk: Disk | None  # that the server's data are on
    folder: Path  # of the app's logs
    longest: float  # pause of a nemesis, in seconds
    history: History = field(default_factory=History)

    @contextmanager
    def root(self) -> Iterator[Cursor]:
        """Give the block root's cursor on the app's database, not through a proxy."""
        with self.server.root.connect() as connection, connection.cursor() as cursor:
            connection.select_db(DATABASE)
            yield cursor

    def kill_connections(self) -> int:
        """Kill all connections of the app; return how many there were."""
        with self.root() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (USER,))
            killed = 0
            for row in cursor.fetchall():
                with suppress(pymysql.OperationalError):  # it has ended by itself
                    killed += cursor.execute("KILL %s", row) == 0
        return killed

    async def pause(self, chance: Random, *seconds: float) -> None:
        """Sleep for one of these times, but no longer than `longest`."""
        await asyncio.sleep(min(chance.choice(seconds), self.longest))

    def evidence(self) -> Evidence:
        """Return the history, the database's contents, and the errors that the app logged."""
        with self.root() as cursor:
            cursor.execute(STORED, {"all": ALL_HOURS})
            stored = {name: Stored(*map(int, sums)) for name, *sums in cursor.fetchall()}
        lines = "\n".join(log.read_text() for log in self.folder.glob("*.log")).splitlines()
        errors = [line for line in lines if "Traceback" in line or "unexpected error" in line]
        return Evidence(self.history, stored, errors)


@asynccontextmanager
async def set_up(
    program: str, folder: Path, flags: Sequence[str] = (), longest: float = inf
) -> AsyncIterator[Environment]:
    """Serve the app in two processes, on a server that flushes each commit, until the block ends.

    The server's data are on a separate disk if this machine lets us mount one. `flags` are options
    of the server; its program is by default the first one found.
    """
    async with AsyncExitStack() as stack:
        disk = None
        with suppress(OSError, subprocess.CalledProcessError):  # this machine does not let us
            disk = Disk(folder)
            stack.callback(disk.close)
        server = stack.enter_context(Server(program, durable=True, flags=flags))
        if disk:
            _move(server, disk)
        environ, apps = _migrate(server), []
        for _ in range(PROCESSES):
            proxy = Proxy(server.root.host, server.root.port)
            await stack.enter_async_context(proxy.open())
            apps.append(AppProcess(proxy, environ, folder))
            stack.push_async_callback(apps[-1].kill)
        await asyncio.gather(*(app.start() for app in apps))
        yield Environment(server, apps, disk, folder, longest)


def _move(server: Server, disk: Disk) -> None:
    """Move a stopped server's data to the disk."""
    server.stop()
    shutil.move(server.data, disk.mountpoint / "data")
    server.data.symlink_to(disk.mountpoint / "data")
    os.sync()
    server.start()


def _migrate(server: Server) -> dict[str, str]:
    """Create the app's database; return the environment with its settings."""
    with server.root.connect() as root, root.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}'")
        cursor.execute(f"GRANT ALL ON {DATABASE}.* TO {USER}@'%'")
    account = account_settings(Login(server.root.host, server.root.port, USER, PASSWORD))
    environ = {**os.environ, **account, "DB_TLS": "off", "DATABASE_NAME": DATABASE}
    run(environ, "alembic", "upgrade", "head").check_returncode()
    return environ

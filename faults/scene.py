"""Where the faults happen: a server, and the app's processes, each with a relay between."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pymysql.cursors import Cursor

from counter.models import ALL_HOURS
from faults.checks import Stored, Verdict, examine
from faults.disk import Disk
from faults.ledger import Ledger
from tests.support.project import PROJECT, UVICORN, connected, migrated_database
from throwaway_mysql.accounts import set_up
from throwaway_mysql.databases.database import Coordinates
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.relay import Relay
from throwaway_mysql.testing.serving import Serving, serving

USER, PASSWORD = "faults", "faults"  # an ordinary account: init_connect is not for root's
STORED = (
    "SELECT name, count, start, (SELECT COALESCE(SUM(h.count), 0) FROM counter h"
    " WHERE h.name = c.name AND h.hour != %s) FROM counter c WHERE c.hour = %s"
)


class Worker:
    """A process of the app, which can be killed and started again at its port."""

    def __init__(self, relay: Relay, environ: Mapping[str, str], folder: Path) -> None:
        self.relay, self.port = relay, free_port()
        address = {name: str(value) for name, value in relay.address.items()}
        self._environ = {**environ, **address}
        self._folder = folder
        self._serving: Serving | None = None
        self._end = ExitStack()

    async def start(self) -> None:
        """Start it, and return once it listens."""
        log = self._folder / f"{self.port}.{len(self.logs())}.log"
        argv = [*UVICORN, "--no-access-log", "--port", str(self.port), "manage:app"]
        program = serving(argv, self.port, self._environ, PROJECT, log)
        self._serving = await asyncio.to_thread(self._end.enter_context, program)

    async def kill(self) -> None:
        """End it by SIGKILL."""
        if self._serving:
            self._serving.process.kill()
            await self.stop()

    async def stop(self) -> None:
        """End it where it runs."""
        await asyncio.to_thread(self._end.close)

    def logs(self) -> list[Path]:
        """Return what it said, a file for each start."""
        return sorted(self._folder.glob(f"{self.port}.*.log"))


@dataclass
class Scene:
    """All that a fault may harm, and the ledger of the clients that look on."""

    server: RunServer
    database: Coordinates  # as root
    workers: list[Worker]
    disk: Disk | None = None  # that the server's data are on
    ledger: Ledger = field(default_factory=Ledger)
    figures: list[str] = field(default_factory=list)  # that faults have measured

    @property
    def ports(self) -> list[int]:
        """The ports of the app's processes."""
        return [worker.port for worker in self.workers]

    @contextmanager
    def root(self) -> Iterator[Cursor]:
        """Give the block root's cursor on the app's database, past the relays."""
        with self.server.root.connect() as connection, connection.cursor() as cursor:
            connection.select_db(self.database["DATABASE_NAME"])
            yield cursor

    def kill_connections(self) -> int:
        """End all connections of the app; return how many there were."""
        with self.root() as cursor:
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (USER,))
            ids = [number for (number,) in cursor.fetchall()]
            return sum(_kill(cursor, number) for number in ids)

    def stored(self) -> dict[str, Stored]:
        """Return what the database says of every counter."""
        with connected(self.database) as connection:
            rows = connection.exec_driver_sql(STORED, (ALL_HOURS, ALL_HOURS)).all()
        return {name: Stored(count, start, int(hours)) for name, count, start, hours in rows}

    def verdicts(self) -> list[Verdict]:
        """Examine all that the clients were told."""
        return [
            *examine(self.ledger, self.stored()),
            Verdict("the app's log tells of no fault of its own", self.complaints()),
        ]

    def complaints(self) -> list[str]:
        """Return the lines of the app's logs that tell of a fault of its own."""
        logs = (log for worker in self.workers for log in worker.logs())
        lines = (line for log in logs for line in log.read_text().splitlines())
        return [line for line in lines if "Traceback" in line or "unexpected error" in line]


@asynccontextmanager
async def scene(
    server: RunServer, folder: Path, workers: int, disk: Disk | None = None
) -> AsyncIterator[Scene]:
    """Serve the app by so many processes on a new database until the block ends."""
    async with AsyncExitStack() as stack:
        database = stack.enter_context(migrated_database(server.root))
        with server.root.connect() as connection:
            set_up(connection, database["DATABASE_NAME"], USER, PASSWORD)
        account = {"DB_USERNAME": USER, "DB_PASSWORD": PASSWORD}
        environ = {**os.environ, **database.environ(), **account}
        started = []
        for _ in range(workers):
            relay = Relay(database["DB_HOST"], database["DB_PORT"])
            await stack.enter_async_context(relay.open())
            started.append(Worker(relay, environ, folder))
            stack.push_async_callback(started[-1].stop)
        await asyncio.gather(*(worker.start() for worker in started))
        yield Scene(server, database, started, disk)


def _kill(cursor: Cursor, number: int) -> bool:
    try:
        cursor.execute("KILL %s", (number,))
    except cursor.connection.OperationalError:  # it has ended by itself
        return False
    return True

"""What is measured of the service, and what it is compared with."""

import sys
from dataclasses import dataclass

from benchmarks.frame import InvalidError

CLIENTS = 64  # of the ratios
GROWTH = 1, 8, 64, 256, 1024
ONE = "/api/v1/counters/bench/one/hits"
MANY = "/api/v1/counters/bench/NUMBER/hits"  # load.lua puts the numbers in
# Each server program's fastest settings; only uvicorn logs requests by default.
UVICORN = "uvicorn --no-access-log --loop=uvloop --http=httptools --port={port}"
PRODUCTION = "uvicorn --no-access-log --loop=uvloop --http=web.http1:Protocol --port={port}"
HYPERCORN = "hypercorn --worker-class=uvloop --bind=127.0.0.1:{port}"
GRANIAN = "granian --interface=asgi --loop=uvloop --host=127.0.0.1 --port={port}"


@dataclass(frozen=True)
class Contestant:
    """Requests of a `kind` in load.lua to an app in apps/; `title` is for the report."""

    title: str
    app: str = "counter"
    program: str = PRODUCTION
    workers: int = 1
    path: str = ONE
    kind: str = "hits"
    counts: bool = True  # whether a request is a hit that must be found afterwards

    @property
    def method(self) -> str:
        """The method of its requests."""
        return "GET" if self.kind == "get" else "POST"

    @property
    def command(self) -> str:
        """The command that serves it, with a placeholder `{port}`."""
        app = f"benchmarks.service.apps.{self.app}:app"
        return f"{sys.executable} -m {self.program} --workers={self.workers} {app}"

    def check(self, clients: int, answered: int, counted: int) -> None:
        """Raise InvalidError unless every answered hit was counted once."""
        least = answered if self.counts else 0
        # Up to one request per client is still in flight when wrk ends.
        if not least <= counted <= least + clients * self.counts:
            raise InvalidError(f"{self.title}: {answered} were answered and {counted} counted")


CONTESTANTS = {
    "hits": Contestant("Hits on one counter"),
    "zipf": Contestant("Hits on 1,000 counters, Zipf 1.1", path=MANY, kind="zipf"),
    "keys": Contestant("Hits with idempotency keys", kind="keys"),
    "pair": Contestant("Hits on one counter, two workers", workers=2),
    "page": Contestant("The page `/`", path="/", kind="get"),
    "static": Contestant(
        "A static page of the same app", path="/static-page", kind="get", counts=False
    ),
    "hypercorn": Contestant("Hits on one counter, under hypercorn", program=HYPERCORN),
    "granian": Contestant("Hits on one counter, under granian", program=GRANIAN),
    "bare": Contestant("Bare ASGI app, counts nothing", "bare", UVICORN, counts=False),
    "redis": Contestant("Quart, Redis INCR, fsync always", "redis_incr", UVICORN),
    "sqlalchemy": Contestant(
        "Quart, SQLAlchemy, one UPDATE a request", "sqlalchemy_update", UVICORN
    ),
}
GROWING = {"bare": "bare ASGI", "hits": "Counter", "redis": "Redis", "sqlalchemy": "SQLAlchemy"}
